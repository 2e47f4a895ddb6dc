#pragma once

#include "gateway/base/endpoint.h"
#include "netfilter/settings.h"

#include <string>
#include <string_view>
#include <vector>

// Many networks as one set of ipset's (hash:net), which one rule asks, where iptables would need a rule for each. All
// pure.
//
// The name of a set is a digest of what is in it. So a set is never changed while rules ask it: other networks are
// another set, made before the transaction that brings the rules which name it, and the old one goes after it. Two
// lists of the same networks share one.

namespace gw::netfilter {

/// Shorter lists are a rule for each network: cheaper to ask than a set.
inline constexpr std::size_t fewest_in_a_set = 16;

struct NetworkSet {
    std::string name; ///< "gateway-4-0b1c2d3e4f5a"
    bool v6 = false;
    std::vector<std::string> networks; ///< sorted, each once
};

/// A set of ours in the kernel.
struct FoundSet {
    std::string name;
    std::size_t size = 0;
    friend bool operator==(const FoundSet&, const FoundSet&) = default;
};

/// The networks of one family, sorted, each once.
std::vector<std::string> networks_of(const std::vector<Network>& networks, bool v6);

/// The set of these networks, as `networks_of` gives them.
NetworkSet network_set(const Settings& settings, bool v6, std::vector<std::string> networks);

/// Made and removed to learn whether rules can ask sets.
std::string name_of_trial_set(const Settings& settings);

/// Those of `ipset list -terse` that are ours.
std::vector<FoundSet> sets_in(const Settings& settings, std::string_view listing);

/// What is not there as it should be, as one line for a person; empty: all is there.
std::string difference(const std::vector<NetworkSet>& wanted, const std::vector<FoundSet>& found);

/// What makes those that are missing, or hold another number of networks, for `ipset restore`. Each is filled under
/// another name, and whole when it gets its own.
std::string set_text(const std::vector<NetworkSet>& wanted, const std::vector<FoundSet>& found);

/// What takes away those that are not wanted, for `ipset restore`, once no rule asks them.
std::string end_of_sets(const std::vector<NetworkSet>& wanted, const std::vector<FoundSet>& found);

} // namespace gw::netfilter
