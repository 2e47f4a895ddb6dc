#pragma once

#include "netfilter/iptables_rules.h"

#include <string>
#include <string_view>
#include <vector>

// From rules to what iptables-restore reads, and back from what iptables-save writes. All pure.

namespace gw::netfilter {

/// What of ours iptables-save shows.
struct FoundIptables {
    struct Rule {
        std::string table;
        std::string chain;
        std::string line;    ///< "-A PREROUTING ..."
        std::string comment; ///< ours; empty: somebody put a rule into a chain of ours
    };
    std::vector<IptablesChain> chains;
    std::vector<Rule> rules;

    bool empty() const { return chains.empty() && rules.empty(); }
    bool has_rule(std::string_view what) const; ///< "capture 1 IPv4 web", or the beginning of it
};

/// Whether a chain of this name is ours.
bool is_our_chain(const Settings& settings, std::string_view name);

/// Our chains, what is in them, and the rules with our comment in chains of others.
FoundIptables ours_in(const Settings& settings, std::string_view saved);

/// What the plan has and the kernel has not, or the other way round, as one line for a person; empty: they agree.
std::string difference(const IptablesRules& wanted, const FoundIptables& found);

/// What makes `found` into `wanted`, for `iptables-restore --noflush`: one transaction a table, in which each chain of
/// ours is made or emptied, and filled. What belongs to others is not in it. Empty when there is nothing of ours.
std::string restore_text(const IptablesRules& wanted, const FoundIptables& found);

/// Both in one, the guard last.
IptablesRules joined(IptablesRules rules, IptablesRules guard);

/// Everything of iptables' for both families, with the sets their rules ask, for people. What is shown is what is
/// installed.
std::string iptables_text(const Plan& plan);

} // namespace gw::netfilter
