#pragma once

#include "gateway/base/result.h"
#include "netfilter/network_sets.h"
#include "netfilter/plan.h"

#include <string>
#include <vector>

// What a plan comes to in iptables: the rules of nft's two tables, in chains whose names begin with the table's name.
// All pure.

namespace gw::netfilter {

struct IptablesChain {
    std::string table; ///< "mangle"
    std::string name;
    friend bool operator==(const IptablesChain&, const IptablesChain&) = default;
};

struct IptablesRule {
    std::string table;
    std::string chain;   ///< one of ours, or one of the kernel's (in capitals), which then leads into one of ours
    std::string text;    ///< matches and target, without the comment
    std::string comment; ///< "gateway: capture 1 IPv4 web 0b1c2d3e": whose, what, and a digest of the rule
};

/// The rules of one family, in order; those of the kernel's chains stand before everything there.
struct IptablesRules {
    std::vector<IptablesChain> chains; ///< all of ours
    std::vector<IptablesRule> rules;
    std::vector<NetworkSet> sets; ///< what the rules ask, each once
};

/// What the heartbeat's port sends there ends the effect of the last beat.
inline constexpr std::uint16_t last_beat_port = 9;

/// Errors: `refused` when the plan asks for what iptables cannot do; `what` names the key.
/// Of those that nft can name too.
bool can_name_for_iptables(std::string_view interface);
Result<> check_for_iptables(const Plan& plan);

/// The longest list of networks of one family in the plan.
std::size_t longest_list(const Plan& plan);

/// Whether anything of this family is captured or led here.
bool has_family(const Plan& plan, bool v6);

/// Captures, zones and the heartbeat; empty without that.
IptablesRules iptables_rules(const Plan& plan, bool v6);
/// What stays and refuses when the gateway is down; empty when no listener is to be closed then.
IptablesRules iptables_guard(const Plan& plan, bool v6);

} // namespace gw::netfilter
