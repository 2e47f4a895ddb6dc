#include "gateway/keeper/pulse.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

namespace gw::keeper {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Without rules a beat arrives at the socket it was sent from.
class PulseTest : public ::testing::Test {
protected:
    PulseTest()
    {
        far.async_wait([](boost::system::error_code) {});
    } // so that the loop sleeps in the kernel
    std::vector<netfilter::Heartbeat> copies() const
    {
        std::vector<netfilter::Heartbeat> heartbeats;
        heartbeats.push_back(heartbeat.copy().value());
        return heartbeats;
    }
    bool beats_within(std::chrono::milliseconds limit)
    {
        pollfd waits{heartbeat.socket().number(), POLLIN, 0};
        if (::poll(&waits, 1, static_cast<int>(limit.count())) <= 0) return false;
        char byte = 0;
        return ::recv(heartbeat.socket().number(), &byte, 1, 0) == 0;
    }
    /// The keeper's thread has its turns for so long.
    void turns_for(std::chrono::milliseconds time)
    {
        io.restart();
        const auto work = boost::asio::make_work_guard(io);
        io.run_for(time);
    }

    boost::asio::io_context io{1};
    boost::asio::steady_timer far{io, 1h};
    netfilter::Heartbeat heartbeat = netfilter::Heartbeat::open().value();
    Pulse pulse{io, copies(), {.interval = 10ms, .late = 100ms, .silent = 300ms, .longest = 1'000ms}};
};

TEST_F(PulseTest, BeatsWhileTheKeeperIsBusyAndNotForEver)
{
    turns_for(50ms);
    pulse.beaten();
    const auto began = Clock::now();
    EXPECT_TRUE(beats_within(5s)) << "busy from here on";
    EXPECT_TRUE(beats_within(5s));
    while (beats_within(300ms)) {
    }
    const auto beat_for = Clock::now() - began;
    EXPECT_GE(beat_for, 700ms);
    EXPECT_LT(beat_for, 5s);
    EXPECT_FALSE(beats_within(300ms)) << "it hangs";

    turns_for(50ms);
    pulse.beaten();
    EXPECT_TRUE(beats_within(5s)) << "busy once more";
}

TEST_F(PulseTest, LeavesTheBeatsToAKeeperThatTurns)
{
    pulse.beaten();
    turns_for(400ms);
    EXPECT_FALSE(beats_within(0ms));
}

TEST_F(PulseTest, DoesNotBeatForAKeeperThatDidNotLongAgo)
{
    EXPECT_FALSE(beats_within(300ms)) << "never";
    turns_for(50ms);
    pulse.beaten();
    turns_for(1'500ms); // nobody serves, as it sees
    while (beats_within(0ms)) {
    } // of a turn that was late
    EXPECT_FALSE(beats_within(300ms)) << "and now it is busy";
}

TEST_F(PulseTest, RestsUntilTheKeeperBeatsAgain)
{
    turns_for(50ms);
    pulse.beaten();
    EXPECT_TRUE(beats_within(5s));
    pulse.rest();
    while (beats_within(0ms)) {
    }
    EXPECT_FALSE(beats_within(300ms));
}

} // namespace
} // namespace gw::keeper
