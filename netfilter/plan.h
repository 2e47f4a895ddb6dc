#pragma once

#include "netfilter/settings.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace gw::netfilter {

/// One interception listener as the rules see it.
struct Capture {
    std::string listener;
    Intercept intercept;
    std::uint16_t port_v4 = 0; ///< where our listener for IPv4 waits: on 127.0.0.1; for `redirect` on 0.0.0.0
    std::uint16_t port_v6 = 0; ///< the same for IPv6: on ::1; for `redirect` on ::
};

/// One policy rule: packets with the captured mark that arrive on `interface` are delivered here.
struct PolicyRule {
    std::string interface;
    bool v6 = false;
    friend auto operator<=>(const PolicyRule&, const PolicyRule&) = default;
};

/// Everything that is to hold in the kernel, as a value. Two equal plans need no change.
struct Plan {
    Settings settings;
    std::vector<Capture> captures;        ///< in order; the first that fits a packet takes it
    std::vector<std::string> interfaces;  ///< where packets of captures without `interfaces` arrive
    std::vector<std::string> left_out;    ///< interfaces of the host that no rule can name: nothing is captured there
    std::vector<PolicyRule> policy_rules; ///< sorted, each once
    std::uint16_t heartbeat_port = 0;     ///< captured only while beats come (heartbeat.h); 0: always
    std::uint16_t heartbeat_port_v6 = 0;  ///< the same of IPv6, which iptables has rules of its own for
    bool datagrams = false;               ///< a capture of UDP is, or was, in it: answers to its flows are led here
    bool redirects = false;               ///< a capture by redirect is, or was, in it: NAT of what is under way goes on
    bool zones_twins = false;             ///< the same of connections that have a twin
    bool zones_kept = false;              ///< the same of connections made as a client beside NAT
    bool network_sets = false;            ///< of iptables: many networks are a set (network_sets.h), not a rule each
    bool lingers = false;                 ///< nothing new is captured, and connections under way go on
};

/// Nothing is to hold at all.
inline bool is_nothing(const Plan& plan) { return plan.captures.empty() && plan.policy_rules.empty() && !plan.lingers; }

/// Pure. `present` are the host's interfaces other than loopback. One that has a name which rules cannot hold is left
/// out, unless a capture names it: then `check` (rules.h) refuses the plan.
Plan make_plan(const Settings& settings, std::vector<Capture> captures, std::vector<std::string> present);

/// Leaves out the interfaces of the host that `can_name` says no to.
void leave_out(Plan& plan, const std::function<bool(std::string_view)>& can_name);

/// What connections under way need of the plan in force stays in the next one.
void carry_over(Plan& next, const Plan& in_force);

/// The text of one nft transaction that makes, empties and refills our table. Pure: what `rules show` prints is what is
/// installed first; later plans bring the same rules in steps (nft_text.h). `owned`: with the owner flag, so the table
/// goes with the netlink socket that made it.
std::string nft_text(const Plan& plan, bool owned = true);

/// The same, and that of the guard where the plan needs one: everything of nft's. Pure.
std::string all_text(const Plan& plan);

/// The same for what the settings name: that of iptables only where they say so. Pure.
std::string text_of_backend(const Plan& plan);

/// The policy rules and routes as `ip` commands, for people. Pure.
std::string ip_text(const Plan& plan);

} // namespace gw::netfilter
