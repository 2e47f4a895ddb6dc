#pragma once

#include "waf/verdict.h"

#include <cstddef>

namespace gw::waf {

/// The engine's cost is per input, about 65 microseconds each whatever is in it; more than this many are not given to
/// it.
inline constexpr std::size_t max_inputs = 1'000;

/// How many arguments, cookies and values the engine will make of a request: never fewer than it makes, for the types
/// it takes apart. Pure, one pass over the body.
std::size_t count_inputs(const RequestView& request);

} // namespace gw::waf
