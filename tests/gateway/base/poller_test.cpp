#include "gateway/base/poller.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>
#include <optional>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace gw {
namespace {

using Outcome = std::optional<boost::system::error_code>;

class PollerTest : public ::testing::Test {
protected:
    struct Pair {
        std::unique_ptr<Watched> ours;
        Descriptor theirs;
    };
    Pair pair(Watched::Trigger trigger = Watched::Trigger::edge)
    {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        return {std::make_unique<Watched>(poller, Descriptor{ends[0]}, trigger), Descriptor{ends[1]}};
    }
    static void say(const Descriptor& end) { ASSERT_EQ(::write(end.number(), "x", 1), 1); }
    static void empty(Watched& socket)
    {
        char bytes[64];
        while (::recv(socket.number(), bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
        }
        socket.found_empty();
    }
    void wait_readable(Watched& socket, Outcome& outcome)
    {
        auto wait = [](Watched& on, Outcome& into) -> Task<void> {
            auto waited = co_await on.readable();
            into.emplace(std::get<0>(waited));
        };
        asio::co_spawn(io, wait(socket, outcome), asio::detached);
    }
    void wait_writable(Watched& socket, Outcome& outcome)
    {
        auto wait = [](Watched& on, Outcome& into) -> Task<void> {
            auto waited = co_await on.writable();
            into.emplace(std::get<0>(waited));
        };
        asio::co_spawn(io, wait(socket, outcome), asio::detached);
    }
    /// Until nobody waits any more.
    void run_out()
    {
        io.restart();
        io.run();
    }
    void run_what_is_ready()
    {
        io.restart();
        io.poll();
    }

    asio::io_context io{1};
    Poller& poller{Poller::of(io.get_executor())};
};

TEST_F(PollerTest, TellsOneWaiterWhatCameAndEndsTheLoopWhenNobodyWaits)
{
    auto [ours, theirs] = pair();
    empty(*ours);
    Outcome outcome;
    wait_readable(*ours, outcome);
    run_what_is_ready();
    EXPECT_FALSE(outcome);
    say(theirs);
    run_out();
    ASSERT_TRUE(outcome);
    EXPECT_FALSE(*outcome);
    EXPECT_TRUE(ours->maybe_readable());
    EXPECT_FALSE(ours->hung_up());
}

TEST_F(PollerTest, TellsWhatCameBeforeAnybodyWaited)
{
    auto [ours, theirs] = pair();
    empty(*ours);
    say(theirs);
    Outcome outcome;
    wait_readable(*ours, outcome);
    run_out();
    ASSERT_TRUE(outcome);
    EXPECT_FALSE(*outcome);
    // Known to the set by now: an edge that nobody waited for is kept as a mark.
    empty(*ours);
    auto [others, far] = pair();
    empty(*others);
    Outcome of_others;
    wait_readable(*others, of_others);
    say(theirs);
    say(far);
    run_out();
    EXPECT_TRUE(of_others);
    EXPECT_TRUE(ours->maybe_readable());
}

TEST_F(PollerTest, KnowsTheEndUntilItIsRead)
{
    auto [ours, theirs] = pair();
    empty(*ours);
    Outcome outcome;
    wait_readable(*ours, outcome);
    say(theirs);
    theirs.reset();
    run_out();
    EXPECT_TRUE(outcome);
    EXPECT_TRUE(ours->hung_up());
    ours->found_less();
    EXPECT_TRUE(ours->maybe_readable()) << "the end comes after what was read";
}

TEST_F(PollerTest, TellsThatThereIsRoomAgain)
{
    auto [ours, theirs] = pair();
    const std::string much(1 << 20, 'x');
    while (::send(ours->number(), much.data(), much.size(), MSG_DONTWAIT) > 0) {
    }
    Outcome room;
    wait_writable(*ours, room);
    run_what_is_ready();
    EXPECT_FALSE(room);
    std::string taken(1 << 22, ' ');
    while (::recv(theirs.number(), taken.data(), taken.size(), MSG_DONTWAIT) > 0) {
    }
    run_out();
    ASSERT_TRUE(room);
    EXPECT_FALSE(*room);
    // Told even when nothing changes: there is room.
    room.reset();
    wait_writable(*ours, room);
    run_out();
    EXPECT_TRUE(room);
}

TEST_F(PollerTest, AbortsLaterAndNotUnderTheHandsOfWhoAborts)
{
    auto [ours, theirs] = pair();
    empty(*ours);
    Outcome reading;
    wait_readable(*ours, reading);
    run_what_is_ready();
    ours->abort();
    EXPECT_FALSE(reading);
    run_out();
    ASSERT_TRUE(reading);
    EXPECT_EQ(*reading, asio::error::operation_aborted);
    // It goes on as ever.
    reading.reset();
    wait_readable(*ours, reading);
    say(theirs);
    run_out();
    EXPECT_FALSE(reading.value_or(asio::error::eof));
    // And after a close nobody waits for ever.
    reading.reset();
    empty(*ours);
    wait_readable(*ours, reading);
    run_what_is_ready();
    ours->close();
    run_out();
    EXPECT_EQ(reading.value_or(boost::system::error_code{}), asio::error::operation_aborted);
    reading.reset();
    wait_readable(*ours, reading);
    run_out();
    EXPECT_EQ(reading.value_or(boost::system::error_code{}), asio::error::bad_descriptor);
}

// A child that was forked holds a copy for a moment: the kernel then goes on telling of a socket that is closed here.
TEST_F(PollerTest, IsNotMisledByEventsOfASocketThatIsClosed)
{
    auto [ours, theirs] = pair();
    empty(*ours);
    Outcome outcome;
    wait_readable(*ours, outcome);
    run_what_is_ready();
    const Descriptor copy{::dup(ours->number())};
    ours.reset();
    run_out();
    auto [next, far] = pair(); // in the place of the one before
    empty(*next);
    Outcome of_next;
    wait_readable(*next, of_next);
    say(theirs);
    run_what_is_ready();
    EXPECT_FALSE(of_next);
    EXPECT_FALSE(next->maybe_readable());
    say(far);
    run_out();
    EXPECT_TRUE(of_next);
}

TEST_F(PollerTest, TellsALevelAgainAndAgainButOnlyToWhoWaits)
{
    auto [ours, theirs] = pair(Watched::Trigger::level);
    say(theirs);
    for (int i = 0; i < 3; ++i) {
        Outcome outcome;
        wait_readable(*ours, outcome);
        run_out();
        ASSERT_TRUE(outcome) << i;
    }
    // Nobody waits for it: it must not keep the loop busy.
    auto [others, far] = pair();
    empty(*others);
    Outcome of_others;
    wait_readable(*others, of_others);
    for (int i = 0; i < 10; ++i) run_what_is_ready();
    io.restart();
    EXPECT_EQ(io.poll(), 0U);
    say(far);
    run_out();
    EXPECT_TRUE(of_others);
}

TEST_F(PollerTest, ServesMoreSocketsThanItTakesEventsAtOnce)
{
    std::vector<Pair> pairs;
    std::vector<Outcome> outcomes(500);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        pairs.push_back(pair());
        empty(*pairs[i].ours);
        wait_readable(*pairs[i].ours, outcomes[i]);
    }
    run_what_is_ready();
    for (const auto& each : pairs) say(each.theirs);
    run_out();
    for (const auto& each : outcomes) EXPECT_TRUE(each && !*each);
}

TEST_F(PollerTest, OneThatClosesAnotherOfTheSameTurnHarmsNobody)
{
    auto [first, far_first] = pair();
    auto [second, far_second] = pair();
    empty(*first);
    empty(*second);
    Outcome outcome;
    auto closes = [](Watched& on, Watched& other) -> Task<void> {
        auto waited = co_await on.readable();
        (void)waited;
        other.close();
    };
    asio::co_spawn(io, closes(*first, *second), asio::detached);
    wait_readable(*second, outcome);
    run_what_is_ready();
    say(far_first);
    say(far_second);
    run_out();
    EXPECT_TRUE(outcome);
    EXPECT_FALSE(second->is_open());
}

TEST_F(PollerTest, WakesOneWhoWaitsForTwo)
{
    auto [first, far_first] = pair();
    auto [second, far_second] = pair();
    auto wakeup = std::make_unique<Wakeup>(poller);
    first->wake(*wakeup);
    second->wake(*wakeup);
    int woken = 0;
    auto waits = [](Wakeup& on, int& into) -> Task<void> {
        auto waited = co_await on.wait();
        (void)waited;
        ++into;
    };
    const auto wait = [&] {
        empty(*first);
        if (second->is_open()) empty(*second);
        asio::co_spawn(io, waits(*wakeup, woken), asio::detached);
        run_what_is_ready();
    };
    wait();
    say(far_second);
    run_out();
    EXPECT_EQ(woken, 1);
    EXPECT_TRUE(second->maybe_readable());
    wait();
    say(far_first);
    run_out();
    EXPECT_EQ(woken, 2);
    // Room is told only to who found none.
    wait();
    const std::string much(1 << 20, 'x');
    while (::send(first->number(), much.data(), much.size(), MSG_DONTWAIT) > 0) {
    }
    first->found_full();
    EXPECT_FALSE(first->maybe_writable());
    std::string taken(1 << 22, ' ');
    while (::recv(far_first.number(), taken.data(), taken.size(), MSG_DONTWAIT) > 0) {
    }
    run_out();
    EXPECT_EQ(woken, 3);
    EXPECT_TRUE(first->maybe_writable());
    // A deadline, then a close; then either of them ends before the other.
    wait();
    first->abort();
    run_out();
    EXPECT_EQ(woken, 4);
    wait();
    second->close();
    run_out();
    EXPECT_EQ(woken, 5);
    second.reset();
    wakeup.reset();
    say(far_first);
    run_what_is_ready();
    first.reset();
}

TEST_F(PollerTest, DoesNotWakeWhoWaitsForRoomWithMoreToRead)
{
    auto [from, far_from] = pair();
    auto [to, far_to] = pair();
    auto wakeup = std::make_unique<Wakeup>(poller);
    from->wake(*wakeup);
    to->wake(*wakeup);
    const std::string much(1 << 20, 'x');
    while (::send(to->number(), much.data(), much.size(), MSG_DONTWAIT) > 0) {
    }
    to->found_full();
    say(far_from);
    run_what_is_ready();
    bool woken = false;
    auto waits = [](Wakeup& on, bool& is_woken) -> Task<void> {
        auto waited = co_await on.wait();
        (void)waited;
        is_woken = true;
    };
    asio::co_spawn(io, waits(*wakeup, woken), asio::detached);
    run_what_is_ready();
    from->found_empty();
    say(far_from); // is told, since nothing was left as far as was known
    run_what_is_ready();
    EXPECT_TRUE(woken);

    woken = false;
    asio::co_spawn(io, waits(*wakeup, woken), asio::detached);
    run_what_is_ready();
    say(far_from);
    run_what_is_ready();
    EXPECT_TRUE(from->maybe_readable());
    EXPECT_FALSE(woken);
    std::string taken(1 << 22, ' ');
    while (::recv(far_to.number(), taken.data(), taken.size(), MSG_DONTWAIT) > 0) {
    }
    run_out();
    EXPECT_TRUE(woken);
    wakeup.reset();
}

TEST(Poller, LeavesNothingWhenItsLoopIsDestroyedUnderWhoWaits)
{
    auto alive = std::make_shared<int>(0);
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    const Descriptor far{ends[1]};
    {
        asio::io_context io{1};
        auto waits = [](Poller& poller, Descriptor end, std::shared_ptr<int> held) -> Task<void> {
            Watched socket{poller, std::move(end)};
            auto waited = co_await socket.readable();
            (void)waited;
            ++*held;
        };
        asio::co_spawn(io, waits(Poller::of(io.get_executor()), Descriptor{ends[0]}, alive), asio::detached);
        io.poll();
        EXPECT_EQ(alive.use_count(), 2);
    }
    EXPECT_EQ(alive.use_count(), 1);
    EXPECT_EQ(*alive, 0);
    char byte{};
    EXPECT_EQ(::read(far.number(), &byte, 1), 0) << "its socket is closed";
}

} // namespace
} // namespace gw
