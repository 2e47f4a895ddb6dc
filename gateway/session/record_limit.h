#pragma once

#include "gateway/session/record.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Records of what came to nothing are limited: who makes connections fail a million times a second must not fill the
// disk. What is left out is counted, and a record of its own says how much it was.

namespace gw::session {

enum class RecordKind { connection, request, flow };
inline constexpr std::array<std::string_view, 3> record_kinds{"connection", "request", "flow"};
using RecordCounts = std::array<std::uint64_t, record_kinds.size()>; ///< by `RecordKind`

/// Whether the limit never holds for it: an upstream or a route has answered, or a rule of the WAF has matched. Pure.
bool is_exempt(const proxy::ExchangeRecord& record);
/// The same of a connection: something was relayed, or such a request came over it.
bool is_exempt(const ConnectionRecord& record);
/// And of a flow of UDP: it was answered.
bool is_exempt(const datagram::Flow& flow);

/// What was left out by one worker since its last record of this.
struct Suppressed {
    RecordCounts counts{};
    std::chrono::system_clock::time_point since{}; ///< the first of them

    std::uint64_t sum() const { return counts[0] + counts[1] + counts[2]; }
};
void append_json_line(std::string& into, const Suppressed& suppressed, std::size_t worker);
void append_human_line(std::string& into, const Suppressed& suppressed, std::size_t worker);

/// A token bucket for records that are not exempt. One for each worker.
class RecordLimit {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr int at_once = 100;
    static constexpr int per_second = 100;
    /// Until what was left out is told.
    static constexpr std::chrono::seconds longest_silence{1};

    /// True: there is room for one more. False: it is left out, and counted.
    bool admits(RecordKind kind, Clock::time_point now);
    /// What was left out and not told yet. None: nothing.
    std::optional<Suppressed> take();
    /// All that were ever left out.
    const RecordCounts& total() const { return total_; }

private:
    Clock::time_point spent_until_{}; // `at_once` records before now, or earlier: the bucket is full
    Suppressed untold_;
    RecordCounts total_{};
};

} // namespace gw::session
