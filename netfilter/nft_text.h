#pragma once

#include "netfilter/plan.h"

#include <string>
#include <string_view>

// How rules that are in force are exchanged for others: three transactions, in this order. Each is pure text.

namespace gw::netfilter {

/// Makes the chain `captures` with the capture rules of the plan. No packet reaches it yet.
std::string prepare_text(const Plan& plan, std::string_view captures);

/// Exchanges all other rules, and leads packets into the chain `captures`.
std::string switch_text(const Plan& plan, std::string_view captures);

/// Takes away the chain `captures`, which no rule leads into; no error when it is not there.
std::string drop_text(const Settings& settings, std::string_view captures);

} // namespace gw::netfilter
