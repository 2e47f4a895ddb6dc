#pragma once

#include "netfilter/plan.h"

#include <string>
#include <string_view>

// How rules that are in force are exchanged for others: three transactions, in this order. Each is pure text.

namespace gw::netfilter {

/// Makes the chain `captures` with the capture rules of the plan, and the one of its redirects. No packet reaches them
/// yet.
std::string prepare_text(const Plan& plan, std::string_view captures);

/// Exchanges all other rules, and leads packets into the chain `captures`. Base chains that only `before`, the plan in
/// force, needs go: one of NAT that merely stood there would switch conntrack on.
std::string switch_text(const Plan& plan, std::string_view captures, const Plan& before);

/// Takes away the chain `captures`, which no rule leads into, and the one of its redirects; no error when they are not
/// there.
std::string drop_text(const Plan& plan, std::string_view captures);

} // namespace gw::netfilter
