#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/session/gate.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace gw::session {

/// Says that connections were turned away, however many they are: the first at once, then one line a second with how
/// many others there were. For any thread.
class Refusals {
public:
    using Clock = std::chrono::steady_clock;
    using Say = std::function<void(const std::string&)>;
    static constexpr std::chrono::seconds interval{1};

    /// `say`: where lines go; the service log unless a test wants them.
    explicit Refusals(Say say = {});

    void note(TurnedAway reason, std::string_view listener, const Endpoint& client, Clock::time_point now);
    /// To be called now and then: says what was held back when nothing came after it.
    void flush(Clock::time_point now);

private:
    std::string take(Clock::time_point now);

    std::mutex mutex_;
    Say say_;
    std::string newest_; // not said yet; empty: nothing is held back
    std::uint64_t held_back_ = 0;
    std::optional<Clock::time_point> said_at_;
};

} // namespace gw::session
