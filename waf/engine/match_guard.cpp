// Two symbols here have PCRE2's own names and are exported, so the dynamic linker binds libmodsecurity's calls to them;
// RTLD_NEXT finds the real ones. Tests hold the proof that the calls really arrive (limit hits are counted here only).

#include "waf/engine/match_guard.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <dlfcn.h>
#include <sys/time.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace gw::waf {

namespace {

using Match = int(const pcre2_code_8*, PCRE2_SPTR8, PCRE2_SIZE, PCRE2_SIZE, std::uint32_t, pcre2_match_data_8*,
                  pcre2_match_context_8*);

// Backtracking frames of the interpreter: the limit of calls is reached long before these.
constexpr std::uint32_t depth_limit = 100'000;
constexpr std::uint32_t heap_limit_kib = 16 * 1024;
constexpr std::size_t jit_stack_first_bytes = 32 * 1024;
constexpr std::size_t jit_stack_most_bytes = 512 * 1024;

struct Guard {
    Match* match = nullptr;
    Match* jit_match = nullptr;
    pcre2_match_context_8* context = nullptr;
    OutOfTime out_of_time = nullptr;
    std::uint32_t limit_hits = 0;
    volatile std::sig_atomic_t budget_spent = 0;
};
Guard guard;

Match* real(const char* name)
{
    auto* found = reinterpret_cast<Match*>(::dlsym(RTLD_NEXT, name));
    if (found == nullptr) std::abort();
    return found;
}

void load_guard()
{
    if (guard.context != nullptr) return;
    guard.match = real("pcre2_match_8");
    guard.jit_match = real("pcre2_jit_match_8");
    guard.context = pcre2_match_context_create_8(nullptr);
    pcre2_set_match_limit_8(guard.context, default_match_limit);
    pcre2_set_depth_limit_8(guard.context, depth_limit);
    pcre2_set_heap_limit_8(guard.context, heap_limit_kib);
    // A larger stack than PCRE2's own 32 KiB: fewer matches fall back to the slow interpreter.
    auto* stack = pcre2_jit_stack_create_8(jit_stack_first_bytes, jit_stack_most_bytes, nullptr);
    pcre2_jit_stack_assign_8(guard.context, nullptr, stack);
}

bool is_limit(int answer)
{
    return answer == PCRE2_ERROR_MATCHLIMIT || answer == PCRE2_ERROR_DEPTHLIMIT || answer == PCRE2_ERROR_HEAPLIMIT;
}

int bounded(Match* Guard::*which, const pcre2_code_8* code, PCRE2_SPTR8 subject, PCRE2_SIZE length, PCRE2_SIZE start,
            std::uint32_t options, pcre2_match_data_8* data)
{
    if (guard.context == nullptr) load_guard();
    if (guard.budget_spent != 0) return PCRE2_ERROR_MATCHLIMIT;
    const int answer = (guard.*which)(code, subject, length, start, options, data, guard.context);
    if (is_limit(answer)) ++guard.limit_hits;
    return answer;
}

void on_cpu_time(int) noexcept
{
    if (guard.budget_spent == 0) {
        guard.budget_spent = 1;
        return;
    }
    if (guard.out_of_time != nullptr) guard.out_of_time();
    std::_Exit(3);
}

timeval as_timeval(std::chrono::microseconds time)
{
    timeval value{};
    value.tv_sec = static_cast<time_t>(time.count() / 1'000'000);
    value.tv_usec = static_cast<suseconds_t>(time.count() % 1'000'000);
    return value;
}

} // namespace

void install_match_guard(OutOfTime out_of_time)
{
    load_guard();
    guard.out_of_time = out_of_time;
    struct sigaction action {};
    action.sa_handler = on_cpu_time;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGPROF, &action, nullptr);
}

void begin_guarded(std::chrono::microseconds cpu_limit) noexcept
{
    guard.limit_hits = 0;
    guard.budget_spent = 0;
    itimerval timer{};
    timer.it_value = as_timeval(cpu_limit - cpu_limit / 4);
    timer.it_interval = as_timeval(cpu_limit / 4);
    ::setitimer(ITIMER_PROF, &timer, nullptr);
}

void end_guarded() noexcept
{
    const itimerval off{};
    ::setitimer(ITIMER_PROF, &off, nullptr);
}

GuardReport guard_report() noexcept { return {guard.limit_hits, guard.budget_spent != 0}; }

void change_match_limit(std::uint32_t limit) noexcept
{
    load_guard();
    pcre2_set_match_limit_8(guard.context, limit == 0 ? UINT32_MAX : limit);
    pcre2_set_depth_limit_8(guard.context, limit == 0 ? UINT32_MAX : depth_limit);
}

} // namespace gw::waf

extern "C" {

__attribute__((visibility("default"))) int pcre2_match_8(const pcre2_code_8* code, PCRE2_SPTR8 subject,
                                                         PCRE2_SIZE length, PCRE2_SIZE start, std::uint32_t options,
                                                         pcre2_match_data_8* data, pcre2_match_context_8*)
{
    return gw::waf::bounded(&gw::waf::Guard::match, code, subject, length, start, options, data);
}

__attribute__((visibility("default"))) int pcre2_jit_match_8(const pcre2_code_8* code, PCRE2_SPTR8 subject,
                                                             PCRE2_SIZE length, PCRE2_SIZE start, std::uint32_t options,
                                                             pcre2_match_data_8* data, pcre2_match_context_8*)
{
    return gw::waf::bounded(&gw::waf::Guard::jit_match, code, subject, length, start, options, data);
}
}
