#include "gateway/upstream/idle_share.h"

#include "gateway/base/socket_stream.h"
#include "gateway/tls/dial.h"
#include "gateway/upstream/idle_pool.h"

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <memory>
#include <sys/socket.h>
#include <thread>

namespace gw::upstream {
namespace {

using namespace std::chrono_literals;

Target target(std::string_view endpoint = "192.0.2.1:80")
{
    Target made;
    made.endpoint = *Endpoint::parse(endpoint);
    return made;
}

/// What a worker has of it all.
struct Side {
    Side(IdleShare& share, std::size_t number, const Settings& settings)
        : pool(std::make_unique<IdlePool>(settings, share, number))
    {}
    ~Side() { wheel.stop(); }

    /// A connection, and the upstream's end of it.
    std::pair<ConnectionPtr, Descriptor> connection(Target to)
    {
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
        auto made = std::make_unique<Connection>(wheel);
        made->target = std::move(to);
        made->stream = std::make_unique<SocketStream>(Descriptor{ends[0]}, gw::Side::upstream, wheel);
        return {std::move(made), Descriptor{ends[1]}};
    }
    Descriptor keeps(Target to)
    {
        auto [made, far] = connection(std::move(to));
        pool->put(std::move(made));
        return std::move(far);
    }
    ConnectionPtr takes_over(const Target& to, const tls::DialContext* accepts = nullptr)
    {
        return pool->take_over(to, accepts, wheel);
    }
    /// What comes next, waited for.
    std::string reads(Stream& stream, const Descriptor& far, std::string_view said)
    {
        std::string got(64, '\0');
        std::size_t count = 0;
        bool ended = false;
        auto read = [](Stream& from, std::string& into) -> Task<std::size_t> {
            auto outcome = co_await from.read_some(asio::buffer(into));
            co_return outcome ? *outcome : 0;
        };
        asio::co_spawn(io, read(stream, got), [&](std::exception_ptr bug, std::size_t size) {
            EXPECT_FALSE(bug);
            count = size;
            ended = true;
        });
        io.poll(); // it waits
        io.restart();
        EXPECT_EQ(::send(far.number(), said.data(), said.size(), MSG_NOSIGNAL), static_cast<ssize_t>(said.size()));
        while (!ended && io.run_one_for(5s) > 0) {
        }
        io.restart();
        EXPECT_TRUE(ended);
        got.resize(count);
        return got;
    }

    asio::io_context io{1};
    DeadlineWheel wheel{io.get_executor()};
    std::unique_ptr<IdlePool> pool;
};

class IdleShareTest : public ::testing::Test {
protected:
    IdleShareTest() { settings.idle_own = 0ms; }
    Settings settings;
    IdleShare share{3};
};

TEST_F(IdleShareTest, GivesToOneWhatAnotherKeeps)
{
    Side holder{share, 0, settings}, taker{share, 2, settings};
    auto [made, far] = holder.connection(target());
    EXPECT_EQ(holder.reads(*made->stream, far, "first"), "first"); // so its poller knows it
    made->exchanges = 7;
    made->remote = *Endpoint::parse("192.0.2.1:80");
    holder.pool->put(std::move(made));
    EXPECT_EQ(taker.takes_over(target("192.0.2.1:81")), nullptr);

    const auto taken = taker.takes_over(target());
    ASSERT_NE(taken, nullptr);
    EXPECT_EQ(taken->target, target());
    EXPECT_EQ(taken->remote, *Endpoint::parse("192.0.2.1:80"));
    EXPECT_EQ(taken->exchanges, 7U);
    EXPECT_EQ(holder.pool->size(), 0U);
    EXPECT_EQ(taker.pool->taken_over(), 1U);
    EXPECT_EQ(taker.takes_over(target()), nullptr) << "twice";
    EXPECT_EQ(taker.reads(*taken->stream, far, "second"), "second");
    EXPECT_EQ(holder.io.poll(), 0U) << "the one before hears of it still";
}

TEST_F(IdleShareTest, GivesTheOneThatHasWaitedLongest)
{
    Side holder{share, 0, settings}, taker{share, 1, settings};
    const auto older = holder.keeps(target());
    const auto newer = holder.keeps(target());
    const auto taken = taker.takes_over(target());
    ASSERT_NE(taken, nullptr);
    EXPECT_EQ(taker.reads(*taken->stream, older, "you"), "you");
    EXPECT_EQ(holder.pool->size(), 1U);
}

TEST_F(IdleShareTest, GivesNoneThatWasUsedJustNow)
{
    settings.idle_own = 1h;
    Side holder{share, 0, settings}, taker{share, 1, settings};
    const auto far = holder.keeps(target());
    EXPECT_EQ(taker.takes_over(target()), nullptr);
    settings.idle_own = 0ms;
    holder.pool->renew(settings);
    EXPECT_NE(taker.takes_over(target()), nullptr);
}

TEST_F(IdleShareTest, GivesNoneThatHasEndedOrSpoken)
{
    Side holder{share, 0, settings}, taker{share, 1, settings};
    const auto ended = holder.keeps(target());
    const auto chatty = holder.keeps(target());
    const auto good = holder.keeps(target());
    ::shutdown(ended.number(), SHUT_WR);
    ASSERT_EQ(::send(chatty.number(), "HTTP/1.1 408 \r\n\r\n", 17, 0), 17);

    const auto taken = taker.takes_over(target());
    ASSERT_NE(taken, nullptr);
    EXPECT_EQ(taker.reads(*taken->stream, good, "good"), "good");
    EXPECT_EQ(holder.pool->size(), 0U);
    char byte{};
    EXPECT_EQ(::recv(ended.number(), &byte, 1, 0), 0) << "not closed";
}

TEST_F(IdleShareTest, GivesOverTlsOnlyWhatTheOtherWouldHaveAccepted)
{
    struct Context : tls::DialContext {};
    const auto before = std::make_shared<Context>(), now = std::make_shared<Context>();
    Side holder{share, 0, settings}, taker{share, 1, settings};
    auto secure = target();
    secure.tls = true;
    auto [made, far] = holder.connection(secure);
    made->accepted_by = before;
    holder.pool->put(std::move(made));
    EXPECT_EQ(taker.takes_over(secure, now.get()), nullptr);
    EXPECT_EQ(holder.pool->size(), 1U);
    EXPECT_NE(taker.takes_over(secure, before.get()), nullptr);
}

TEST_F(IdleShareTest, LeavesWhatIsTakenOpenWhenItsOldDeadlineComes)
{
    settings.idle_limit = 60ms;
    Side holder{share, 0, settings}, taker{share, 1, settings};
    const auto far = holder.keeps(target());
    const auto taken = taker.takes_over(target());
    ASSERT_NE(taken, nullptr);
    while (holder.io.run_one_for(300ms) > 0) {
    }
    EXPECT_EQ(taker.reads(*taken->stream, far, "still"), "still");
}

TEST_F(IdleShareTest, BoundsWhatIsGivenBackByTheTakersOwnLimits)
{
    settings.idle_per_upstream = 1;
    Side holder{share, 0, settings}, taker{share, 1, settings};
    const auto first = holder.keeps(target());
    const auto second = taker.keeps(target());
    taker.pool->put(taker.takes_over(target()));
    EXPECT_EQ(taker.pool->size(), 1U);
    char byte{};
    EXPECT_EQ(::recv(first.number(), &byte, 1, 0), 0) << "one more than may be";
}

TEST_F(IdleShareTest, GivesNothingOfAWorkerThatIsGoneOrAlone)
{
    Side taker{share, 1, settings};
    {
        Side holder{share, 0, settings};
        const auto far = holder.keeps(target());
        holder.pool.reset();
        EXPECT_EQ(taker.takes_over(target()), nullptr);
    }
    IdleShare one{1};
    Side alone{one, 0, settings};
    const auto far = alone.keeps(target());
    EXPECT_EQ(alone.takes_over(target()), nullptr);
    EXPECT_NE(alone.pool->take(target()), nullptr);
}

/// Run by the thread sanitizer.
TEST_F(IdleShareTest, GivesEachToOneThreadAtATime)
{
    constexpr std::size_t most = 4'096;
    constexpr int rounds = 1'500;
    static std::array<std::atomic<bool>, most> used;
    std::array<Descriptor, most> far;
    for (auto& each : used) each = false;
    std::atomic<std::uint16_t> made{0};
    std::atomic<std::uint64_t> taken{0}, wrong{0};
    settings.idle_limit = 100ms;
    settings.idle_per_upstream = 3;

    const auto work = [&](std::size_t number) {
        Side own{share, number, settings};
        std::vector<ConnectionPtr> in_use;
        for (int i = 0; i < rounds; ++i) {
            const auto to = target(i % 3 == 0 ? "192.0.2.1:80" : "192.0.2.2:80");
            auto connection = own.pool->take(to);
            if (connection == nullptr) connection = own.takes_over(to);
            if (connection == nullptr && made < most - 8) {
                const auto id = made++;
                std::tie(connection, far[id]) = own.connection(to);
                connection->remote.port = id;
            }
            if (connection == nullptr) continue;
            const auto id = connection->remote.port;
            if (used[id].exchange(true)) ++wrong;
            char byte = static_cast<char>(id), other{};
            const std::array<asio::const_buffer, 1> bytes{asio::buffer(&byte, 1)};
            if (!connection->stream->write_now(bytes)) ++wrong;
            if (::recv(far[id].number(), &other, 1, 0) != 1 || other != byte) ++wrong;
            if (i % 5 == 0 && own.reads(*connection->stream, far[id], "answer") != "answer") ++wrong;
            in_use.push_back(std::move(connection));
            const std::size_t keeps = i % 4;
            while (in_use.size() > keeps) {
                used[in_use.front()->remote.port] = false;
                own.pool->put(std::move(in_use.front()));
                in_use.erase(in_use.begin());
            }
            if (i % 97 == 0) own.pool->clear();
            if (i % 101 == 0) own.pool->renew(settings);
            own.io.poll();
            own.io.restart();
        }
        taken += own.pool->taken_over();
    };
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < share.size(); ++i) threads.emplace_back(work, i);
    for (auto& each : threads) each.join();
    EXPECT_EQ(wrong, 0U);
    EXPECT_GT(taken, 0U);
}

} // namespace
} // namespace gw::upstream
