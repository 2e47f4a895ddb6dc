#pragma once

#include "netfilter/rules.h"

#include <string>
#include <string_view>
#include <vector>

// The rules that need conntrack: capture by REDIRECT, and the zones that keep the two connections of a relay apart. A
// plan without either has none of these chains, and conntrack stays as it was.

namespace gw::netfilter {

/// Where capture by redirect happens, and where those who dial its listeners directly are refused.
inline constexpr std::string_view redirecting_chain = "redirecting";
inline constexpr std::string_view direct_hits_chain = "direct_hits";
/// Where packets of the gateway's own connections get their zone, before conntrack sees them.
inline constexpr std::string_view zones_in_chain = "zones_in";
inline constexpr std::string_view zones_out_chain = "zones_out";

struct BaseChain {
    std::string_view name;
    std::string_view hook; ///< "{ type nat hook ... }"
};

/// The base chains of this kind that the plan needs.
std::vector<BaseChain> conntrack_chains(const Plan& plan);

/// The chain of redirect rules that belongs to the chain `captures`: the two are exchanged together.
std::string_view redirects_of(std::string_view captures);

/// What a listing of a table of ours says of the plan's part in this.
void learn_conntrack(Plan& plan, std::string_view listing);

/// All rules of this kind, in order.
void add_conntrack_rules(std::vector<Rule>& rules, const Plan& plan, std::string_view captures);

} // namespace gw::netfilter
