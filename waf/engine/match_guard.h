#pragma once

#include <chrono>
#include <cstdint>

namespace gw::waf {

/// Bounds what the engine's regular expressions may cost. libmodsecurity 3.0.9 gives PCRE2 no limit of any kind; this
/// program therefore defines pcre2_match and pcre2_jit_match itself, so that the library's calls arrive here, and
/// passes them on with a match context that has limits.
///
/// Two timers run in CPU time of the process, from `begin_guarded` on: past three quarters of the limit every further
/// match ends at once as "limit reached", so the engine finishes soon; past all of it `out_of_time` is called from the
/// signal handler, which is to end the process.
using OutOfTime = void (*)() noexcept;

/// Calls of PCRE2's inner match function one match may make. Measured: prose of 1 KB needs up to 10,000, of 32 KB up to
/// 100,000; 1,000 refused ordinary letters. At 100,000 one match ends within about 2 ms, and what many of them cost
/// together the CPU clock bounds.
inline constexpr std::uint32_t default_match_limit = 100'000;

/// Once, before the first match. `out_of_time` must be async-signal-safe and must not return.
void install_match_guard(OutOfTime out_of_time);

/// Starts the CPU clock of one phase and forgets earlier hits.
void begin_guarded(std::chrono::microseconds cpu_limit) noexcept;
/// Stops the clock.
void end_guarded() noexcept;

/// What happened since `begin_guarded`.
struct GuardReport {
    std::uint32_t limit_hits = 0; ///< matches that ran into a limit
    bool out_of_budget = false;   ///< the CPU clock ran out
};
GuardReport guard_report() noexcept;

/// For measuring: another limit (0: none).
void change_match_limit(std::uint32_t limit) noexcept;

} // namespace gw::waf
