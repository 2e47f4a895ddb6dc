#include "gateway/relay/relay.h"

#include "tests/support/memory_stream.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <optional>

namespace gw::relay {
namespace {

using namespace std::chrono_literals;
using gw::testing::MemoryStream;

/// A relay between two pipes in memory. The test holds the far ends.
class Relay : public ::testing::Test {
protected:
    void connect(std::size_t max_read_bytes = SIZE_MAX, std::size_t capacity_bytes = SIZE_MAX)
    {
        std::tie(client, gateway_client) =
            MemoryStream::pair(io.get_executor(), Side::gateway, Side::client, max_read_bytes, capacity_bytes);
        std::tie(upstream, gateway_upstream) =
            MemoryStream::pair(io.get_executor(), Side::gateway, Side::upstream, max_read_bytes, capacity_bytes);
    }
    void start(std::string_view from_client = {}, std::string_view from_upstream = {})
    {
        onward.append(from_client);
        back.append(from_upstream);
        asio::co_spawn(io, run(*gateway_client, *gateway_upstream, onward, back, settings, counts),
                       [this](std::exception_ptr bug, Result<> result) {
                           EXPECT_FALSE(bug);
                           end.emplace(std::move(result));
                       });
        settle();
    }
    /// Lets everything happen that can happen by itself now.
    void settle()
    {
        io.restart();
        io.poll();
    }
    void wait_for_end()
    {
        io.restart();
        while (!end && io.run_one() > 0) {
        }
        ASSERT_TRUE(end) << "the relay waits, and nothing will come";
    }
    template <class T> T result_of(Task<T> work)
    {
        std::optional<T> result;
        asio::co_spawn(io, std::move(work), [&](std::exception_ptr, T value) { result.emplace(std::move(value)); });
        io.restart();
        while (!result && io.run_one() > 0) {
        }
        EXPECT_TRUE(result) << "still waiting, and nothing will come";
        return result ? std::move(*result) : T{Error{Fault::system, Side::gateway, "still waiting"}};
    }
    void send(MemoryStream& stream, std::string_view bytes)
    {
        ASSERT_TRUE(result_of(write_all(stream, asio::buffer(bytes))));
    }
    /// What comes next: the bytes, "end", or the fault.
    std::string next_of(MemoryStream& stream)
    {
        settle();
        std::array<char, 1000> into{};
        const auto read = result_of(stream.read_some(asio::buffer(into)));
        if (!read) return std::string{name_of(read.error().fault)};
        return *read == 0 ? "end" : std::string{into.data(), *read};
    }

    asio::io_context io;
    std::unique_ptr<MemoryStream> client;
    std::unique_ptr<MemoryStream> gateway_client;
    std::unique_ptr<MemoryStream> upstream;
    std::unique_ptr<MemoryStream> gateway_upstream;
    Settings settings;
    Counts counts;
    Buffer onward, back;
    std::optional<Result<>> end;
};

TEST_F(Relay, MovesBytesBothWaysAndCountsThem)
{
    connect();
    start();
    send(*client, "question");
    EXPECT_EQ(next_of(*upstream), "question");
    send(*upstream, "an answer");
    EXPECT_EQ(next_of(*client), "an answer");

    EXPECT_EQ(counts.from_client_bytes, 8u);
    EXPECT_EQ(counts.to_client_bytes, 9u);
    EXPECT_EQ(counts.spliced_bytes, 0u);
    EXPECT_FALSE(end);
}

TEST_F(Relay, SendsFirstWhatWasReadBefore)
{
    connect(3, 10);
    start("read while peeking, ", "220 ready, ");
    send(*client, "and more");
    send(*upstream, "go on");
    client->end_writing();
    upstream->end_writing();

    std::string to_upstream, to_client;
    for (auto piece = next_of(*upstream); piece != "end"; piece = next_of(*upstream)) to_upstream += piece;
    for (auto piece = next_of(*client); piece != "end"; piece = next_of(*client)) to_client += piece;

    EXPECT_EQ(to_upstream, "read while peeking, and more");
    EXPECT_EQ(to_client, "220 ready, go on");
    wait_for_end();
    EXPECT_TRUE(*end);
    EXPECT_EQ(counts.from_client_bytes, to_upstream.size());
    EXPECT_EQ(counts.to_client_bytes, to_client.size());
}

TEST_F(Relay, PassesAnEndOfTheClientOnAndGoesOnTheOtherWay)
{
    connect();
    start();
    send(*client, "last words");
    client->end_writing();
    EXPECT_EQ(next_of(*upstream), "last words");
    EXPECT_EQ(next_of(*upstream), "end");
    EXPECT_FALSE(end);
    send(*upstream, "still here");
    EXPECT_EQ(next_of(*client), "still here");
    upstream->end_writing();
    EXPECT_EQ(next_of(*client), "end");

    wait_for_end();
    EXPECT_TRUE(*end);
}

TEST_F(Relay, PassesAnEndOfTheUpstreamOnAndGoesOnTheOtherWay)
{
    connect();
    start();
    upstream->end_writing();
    EXPECT_EQ(next_of(*client), "end");
    EXPECT_FALSE(end);
    send(*client, "upload");
    EXPECT_EQ(next_of(*upstream), "upload");
    client->end_writing();
    EXPECT_EQ(next_of(*upstream), "end");

    wait_for_end();
    EXPECT_TRUE(*end);
}

TEST_F(Relay, PassesAResetOnAsAReset)
{
    for (const bool by_client : {true, false}) {
        connect();
        end.reset();
        start();
        (by_client ? *client : *upstream).close(true);
        EXPECT_EQ(next_of(by_client ? *upstream : *client), "closed");

        wait_for_end();
        ASSERT_FALSE(*end);
        EXPECT_EQ(end->error().fault, Fault::closed);
        EXPECT_EQ(end->error().side, by_client ? Side::client : Side::upstream);
    }
}

TEST_F(Relay, ResetsTheSenderWhenTheReceiverIsGone)
{
    connect();
    start();
    client->end_writing(); // so that only the other way is left
    settle();
    gateway_client->close();
    send(*upstream, "to nobody");

    wait_for_end();
    ASSERT_FALSE(*end);
    EXPECT_EQ(end->error().side, Side::client);
    EXPECT_EQ(next_of(*upstream), "closed");
    EXPECT_EQ(counts.to_client_bytes, 0u);
}

TEST_F(Relay, StopsReadingASenderWhoseReceiverIsStuck)
{
    constexpr std::size_t capacity = 1000;
    settings.buffer_bytes = 500;
    connect(SIZE_MAX, capacity);
    start();
    // One that writes until nobody takes any more.
    std::size_t sent = 0;
    bool refused = false;
    const auto flood = [](MemoryStream& into, std::size_t& count, bool& failed) -> Task<Result<>> {
        const std::string piece(100, 'x');
        for (;;) {
            const auto written = co_await write_all(into, asio::buffer(piece));
            if (!written) break;
            count += piece.size();
        }
        failed = true;
        co_return Result<>{};
    };
    asio::co_spawn(io, flood(*client, sent, refused), [](std::exception_ptr, Result<>) {});
    settle();

    // In the far pipe, in the relay's buffer, in the near pipe; the receiver took nothing.
    EXPECT_EQ(counts.from_client_bytes, capacity);
    EXPECT_LE(sent, capacity + settings.buffer_bytes + capacity);
    EXPECT_GE(sent, 2 * capacity);
    EXPECT_FALSE(refused);
    const auto before = sent;
    EXPECT_EQ(next_of(*upstream).size(), 1000u);
    settle();
    EXPECT_GT(sent, before);
    EXPECT_EQ(counts.from_client_bytes, 2 * capacity);

    upstream->close(true);
    wait_for_end();
    settle();
    EXPECT_TRUE(refused);
}

TEST_F(Relay, GivesUpWhenNothingMovesEitherWay)
{
    settings.idle_limit = 20ms;
    connect();
    start();

    wait_for_end();
    ASSERT_FALSE(*end);
    EXPECT_EQ(end->error().fault, Fault::timed_out);
    EXPECT_EQ(end->error().side, Side::gateway);
    EXPECT_EQ(end->error().what, "idle");
    EXPECT_EQ(next_of(*client), "closed");
    EXPECT_EQ(next_of(*upstream), "closed");
}

TEST_F(Relay, GivesUpSoonerOnceOneSideEnded)
{
    settings.idle_limit = 1h;
    settings.half_closed_limit = 20ms;
    connect();
    start();
    client->end_writing();

    wait_for_end();
    ASSERT_FALSE(*end);
    EXPECT_EQ(end->error().fault, Fault::timed_out);
    EXPECT_EQ(end->error().side, Side::gateway);
    EXPECT_EQ(end->error().what, "idle, half closed");
}

TEST_F(Relay, CountsOneWayAsLifeOfBoth)
{
    settings.idle_limit = 150ms;
    connect();
    start();
    // Only the upstream speaks, for longer than the limit; the way from the client must not expire.
    const auto began = std::chrono::steady_clock::now();
    asio::steady_timer pause{io};
    while (std::chrono::steady_clock::now() - began < 2 * settings.idle_limit) {
        send(*upstream, ".");
        EXPECT_EQ(next_of(*client), ".");
        pause.expires_after(5ms);
        const auto wait = [](asio::steady_timer& timer) -> Task<Result<>> {
            co_await timer.async_wait(as_outcome);
            co_return Result<>{};
        };
        ASSERT_TRUE(result_of(wait(pause)));
    }
    EXPECT_FALSE(end);
    send(*client, "awake");
    EXPECT_EQ(next_of(*upstream), "awake");
}

TEST_F(Relay, LeavesNoDeadlineBehindWhenBothEnded)
{
    settings.half_closed_limit = 10ms;
    connect();
    start();
    client->end_writing();
    upstream->end_writing();
    wait_for_end();
    ASSERT_TRUE(*end);
    const auto nap = [](asio::steady_timer timer) -> Task<Result<>> {
        co_await timer.async_wait(as_outcome);
        co_return Result<>{};
    };
    ASSERT_TRUE(result_of(nap(asio::steady_timer{io, 20ms})));

    std::array<char, 1> into{};
    EXPECT_EQ(*result_of(gateway_client->read_some(asio::buffer(into))), 0u);
}

} // namespace
} // namespace gw::relay
