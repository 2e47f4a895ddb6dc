#include "gateway/intake/peek_hello.h"

#include "tests/gateway/intake/client_hello_builder.h"
#include "tests/support/descriptor_of.h"
#include "tests/support/memory_stream.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>
#include <optional>

namespace gw::intake {
namespace {

using namespace std::chrono_literals;
using gw::testing::MemoryStream;
using Kind = Hello::Kind;

class PeekHello : public ::testing::Test {
protected:
    /// Runs `work` to its end and gives what it gave.
    template <class T> T result_of(Task<T> work)
    {
        std::optional<T> result;
        asio::co_spawn(io, std::move(work), [&](std::exception_ptr bug, T value) {
            EXPECT_FALSE(bug);
            result.emplace(std::move(value));
        });
        io.restart();
        while (!result && io.run_one() > 0) {
        }
        EXPECT_TRUE(result) << "still waiting, and nothing will come";
        return result ? std::move(*result) : T{Error{Fault::system, Side::gateway, "still waiting"}};
    }
    /// A pair of connected sockets: ours as a stream, theirs to write into.
    std::pair<std::unique_ptr<SocketStream>, asio::local::stream_protocol::socket> connection(Side side)
    {
        asio::local::stream_protocol::socket ours{io};
        asio::local::stream_protocol::socket theirs{io};
        asio::local::connect_pair(ours, theirs);
        auto stream = std::make_unique<SocketStream>(descriptor_of(std::move(ours)), side, wheel);
        return {std::move(stream), std::move(theirs)};
    }
    void send(MemoryStream& stream, std::string_view bytes)
    {
        ASSERT_TRUE(result_of(write_all(stream, asio::buffer(bytes))));
    }

    asio::io_context io;
    DeadlineWheel wheel{io.get_executor()};
    Buffer received;
    Settings settings;
};

TEST_F(PeekHello, ReadsUntilTheAnswerIsKnownAndConsumesNothing)
{
    auto [client, gateway] = MemoryStream::pair(io.get_executor(), Side::gateway, Side::client, 1);
    const auto bytes = testing::client_hello(testing::post_quantum_key_share() + testing::server_name("a.example"));
    send(*client, bytes + "behind it");

    const auto hello = result_of(peek_hello(*gateway, received, settings));

    ASSERT_TRUE(hello);
    EXPECT_EQ(hello->kind, Kind::tls);
    EXPECT_EQ(hello->server_name, "a.example");
    EXPECT_EQ(received.view(), bytes); // byte by byte: not one more than needed
}

TEST_F(PeekHello, CountsWhatWasReadBefore)
{
    auto [client, gateway] = MemoryStream::pair(io.get_executor(), Side::gateway, Side::client);
    received.append("GET / HTTP/1.1\r\n");

    const auto hello = result_of(peek_hello(*gateway, received, settings));

    ASSERT_TRUE(hello);
    EXPECT_EQ(hello->kind, Kind::http1);
}

TEST_F(PeekHello, SaysClosedWhenTheClientEndsWithoutAByte)
{
    auto [client, gateway] = MemoryStream::pair(io.get_executor(), Side::gateway, Side::client);
    client->end_writing();

    const auto hello = result_of(peek_hello(*gateway, received, settings));

    ASSERT_FALSE(hello);
    EXPECT_EQ(hello.error().fault, Fault::closed);
    EXPECT_EQ(hello.error().side, Side::client);
}

TEST_F(PeekHello, TakesAnEndBeforeTheAnswerForAnotherProtocol)
{
    auto [client, gateway] = MemoryStream::pair(io.get_executor(), Side::gateway, Side::client);
    send(*client, "\x16\x03\x01\x02");
    client->end_writing();

    const auto hello = result_of(peek_hello(*gateway, received, settings));

    ASSERT_TRUE(hello);
    EXPECT_EQ(hello->kind, Kind::other);
    EXPECT_EQ(received.view(), "\x16\x03\x01\x02");
}

TEST_F(PeekHello, RefusesAClientHelloThatIsTooLarge)
{
    auto [client, gateway] = MemoryStream::pair(io.get_executor(), Side::gateway, Side::client, 100);
    testing::ClientHello large;
    large.extensions = testing::extension(21, std::string(20'000, 'x'));
    send(*client, testing::records(testing::message(large.body()), 16'000).substr(0, 1000));

    const auto hello = result_of(peek_hello(*gateway, received, settings));

    ASSERT_FALSE(hello);
    EXPECT_EQ(hello.error().fault, Fault::too_large);
    EXPECT_EQ(received.size(), 100u); // at once
}

TEST_F(PeekHello, NeverHoldsMoreThanTheLimit)
{
    auto [client, gateway] = MemoryStream::pair(io.get_executor(), Side::gateway, Side::client);
    send(*client, std::string(100'000, 'A'));
    Buffer small{settings.max_hello_bytes};

    const auto hello = result_of(peek_hello(*gateway, small, settings));

    ASSERT_TRUE(hello);
    EXPECT_EQ(hello->kind, Kind::http1);
    EXPECT_EQ(small.size(), settings.max_hello_bytes);
}

TEST_F(PeekHello, GivesUpOnAClientThatBeginsAndStalls)
{
    auto [gateway, client] = connection(Side::client);
    asio::write(client, asio::buffer("GE", 2));
    settings.hello_limit = 30ms;

    const auto hello = result_of(peek_hello(*gateway, received, settings));

    ASSERT_FALSE(hello);
    EXPECT_EQ(hello.error().fault, Fault::timed_out);
    EXPECT_EQ(hello.error().side, Side::client);
}

TEST_F(PeekHello, LeavesNoDeadlineBehind)
{
    auto [gateway, client] = connection(Side::client);
    asio::write(client, asio::buffer("GET /", 5));
    settings.hello_limit = 1ms;
    ASSERT_TRUE(result_of(peek_hello(*gateway, received, settings)));
    asio::steady_timer later{io, 4 * DeadlineWheel::tick};
    later.async_wait([&client = client](boost::system::error_code) { asio::write(client, asio::buffer("x", 1)); });

    EXPECT_TRUE(result_of(gateway->wait_readable()));
}

TEST_F(PeekHello, ReadsTheFirstBytesInOneCall)
{
    auto [gateway, client] = connection(Side::client);
    asio::write(client, asio::buffer("hello", 5));

    const auto came = result_of(read_first_bytes(*gateway, received, 10s));

    ASSERT_TRUE(came);
    EXPECT_TRUE(*came);
    EXPECT_EQ(received.view(), "hello");
}

TEST_F(PeekHello, TellsASilentClientInTimeAndLosesNothingOfIt)
{
    auto [gateway, client] = connection(Side::client);
    const auto began = std::chrono::steady_clock::now();

    const auto came = result_of(read_first_bytes(*gateway, received, 20ms));

    ASSERT_TRUE(came);
    EXPECT_FALSE(*came);
    EXPECT_GE(std::chrono::steady_clock::now() - began, 20ms);
    EXPECT_TRUE(received.empty());
    asio::write(client, asio::buffer("late", 4));
    EXPECT_TRUE(*result_of(read_first_bytes(*gateway, received, 10s)));
    EXPECT_EQ(received.view(), "late");
}

TEST_F(PeekHello, TellsAClientThatLeft)
{
    auto [gateway, client] = connection(Side::client);
    client.close();

    const auto came = result_of(read_first_bytes(*gateway, received, 10s));

    ASSERT_FALSE(came);
    EXPECT_EQ(came.error().fault, Fault::closed);
}

TEST_F(PeekHello, KeepsToTheDeadlineOfTheStreamWhileWaitingForTheFirstBytes)
{
    auto [gateway, client] = connection(Side::client);
    gateway->expire_after(10ms);

    const auto came = result_of(read_first_bytes(*gateway, received, 10s));

    ASSERT_FALSE(came);
    EXPECT_EQ(came.error().fault, Fault::timed_out);
}

/// Each side in turn; what waits is always given the other side's bytes afterwards, whole.
TEST_F(PeekHello, TellsWhoSpeaksFirstAndLosesNoByteOfEither)
{
    auto [client, far_client] = connection(Side::client);
    auto [upstream, far_upstream] = connection(Side::upstream);
    const auto read_all = [&](SocketStream& stream) {
        std::array<char, 100> into{};
        const auto count = result_of(stream.read_some(asio::buffer(into)));
        return count ? std::string{into.data(), *count} : describe(count.error());
    };
    for (int round = 0; round < 50; ++round) {
        asio::write(far_upstream, asio::buffer("220 ready", 9));
        EXPECT_EQ(*result_of(who_speaks_first(*client, *upstream, 10s)), Who::upstream);
        asio::write(far_client, asio::buffer("EHLO", 4));
        EXPECT_EQ(read_all(*client), "EHLO");
        EXPECT_EQ(read_all(*upstream), "220 ready");

        asio::write(far_client, asio::buffer("GET /", 5));
        EXPECT_EQ(*result_of(who_speaks_first(*client, *upstream, 10s)), Who::client);
        asio::write(far_upstream, asio::buffer("200 OK", 6));
        EXPECT_EQ(read_all(*upstream), "200 OK");
        EXPECT_EQ(read_all(*client), "GET /");

        asio::write(far_client, asio::buffer("both", 4));
        asio::write(far_upstream, asio::buffer("sides", 5));
        EXPECT_TRUE(result_of(who_speaks_first(*client, *upstream, 10s)));
        EXPECT_EQ(read_all(*upstream), "sides");
        EXPECT_EQ(read_all(*client), "both");
    }
}

TEST_F(PeekHello, TellsThatNobodySpeaks)
{
    auto [client, far_client] = connection(Side::client);
    auto [upstream, far_upstream] = connection(Side::upstream);

    EXPECT_EQ(*result_of(who_speaks_first(*client, *upstream, 20ms)), Who::nobody);

    asio::write(far_client, asio::buffer("x", 1));
    EXPECT_EQ(*result_of(who_speaks_first(*client, *upstream, 10s)), Who::client);
}

TEST_F(PeekHello, TakesAnEndForSpeaking)
{
    auto [client, far_client] = connection(Side::client);
    auto [upstream, far_upstream] = connection(Side::upstream);
    far_upstream.close();

    EXPECT_EQ(*result_of(who_speaks_first(*client, *upstream, 10s)), Who::upstream);
}

TEST_F(PeekHello, SaysWhichSideFailedFirst)
{
    auto [client, far_client] = connection(Side::client);
    auto [upstream, far_upstream] = connection(Side::upstream);
    upstream->expire_after(1ms);

    const auto who = result_of(who_speaks_first(*client, *upstream, 10s));

    ASSERT_FALSE(who);
    EXPECT_EQ(who.error().side, Side::upstream);
    EXPECT_EQ(who.error().fault, Fault::timed_out);
}

} // namespace
} // namespace gw::intake
