#include "gateway/base/socket_stream.h"
#include "gateway/proxy/splice_body.h"
#include "tests/support/far_end.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>
#include <memory>
#include <optional>

namespace gw::proxy {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;

constexpr std::size_t mebibyte = 1024 * 1024;

/// What the sender has from `at` on: repeats, but not after as many bytes as any buffer has.
std::string bytes_from(std::uint64_t at, std::size_t count)
{
    static const std::string pattern = [] {
        std::string made(65'521, ' ');
        for (std::size_t i = 0; i < made.size(); ++i) made[i] = static_cast<char>((i * 2654435761u) >> 13);
        return made;
    }();
    std::string bytes;
    bytes.reserve(count + pattern.size());
    bytes.append(pattern, at % pattern.size());
    while (bytes.size() < count) bytes += pattern;
    bytes.resize(count);
    return bytes;
}

/// An answer's body on its way from an upstream to a client, over real TCP on loopback. The test holds the far ends.
class SpliceBody : public ::testing::Test {
protected:
    SpliceBody() { connect(client, gateway_client, Side::client), connect(upstream, gateway_upstream, Side::upstream); }

    void connect(tcp::socket& far, std::unique_ptr<SocketStream>& ours, Side side)
    {
        ours = connect_far_end(far, io, side, wheel);
        // Small, so that little is enough to fill them.
        const int bytes = 128 * 1024;
        for (const int socket : {far.native_handle(), ours->plain_socket()})
            for (const int which : {SO_RCVBUF, SO_SNDBUF})
                ::setsockopt(socket, SOL_SOCKET, which, &bytes, sizeof bytes);
    }
    BodySource source() { return {*gateway_upstream, received, reader, idle_limit}; }
    void begin(std::uint64_t length) { reader.restart({http::Framing::Kind::length, length}); }
    /// A body of `length` bytes; its sender has begun already.
    void move(std::uint64_t length, BodySource from)
    {
        begin(length);
        asio::co_spawn(io, move_body(from, *gateway_client, BodyForm::plain, {}, moved, tee),
                       [this](std::exception_ptr bug, Result<> result) {
                           EXPECT_FALSE(bug);
                           end.emplace(std::move(result));
                       });
    }
    /// Only the part with the pipe, of a body that was begun.
    std::shared_ptr<std::optional<Result<bool>>> splice(Pace* pace = nullptr)
    {
        auto outcome = std::make_shared<std::optional<Result<bool>>>();
        auto from = source();
        from.pace = pace;
        asio::co_spawn(io, splice_body(from, *gateway_upstream, *gateway_client, moved),
                       [outcome](std::exception_ptr bug, Result<bool> result) {
                           EXPECT_FALSE(bug);
                           outcome->emplace(std::move(result));
                       });
        return outcome;
    }
    void send(std::string bytes)
    {
        auto work = [](SpliceBody& test, std::string all) -> Task<> {
            auto outcome = co_await asio::async_write(test.upstream, asio::buffer(all), as_outcome);
            test.sent += std::get<1>(outcome);
        };
        asio::co_spawn(io, work(*this, std::move(bytes)), [](std::exception_ptr bug) { EXPECT_FALSE(bug); });
    }
    /// What the client gets, until `count` bytes are there or the connection ends.
    void receive(std::size_t count)
    {
        auto work = [](SpliceBody& test, std::size_t wanted) -> Task<> {
            std::string all(wanted, ' ');
            auto outcome = co_await asio::async_read(test.client, asio::buffer(all), as_outcome);
            all.resize(std::get<1>(outcome));
            test.got += all;
            test.received_all = true;
        };
        received_all = false;
        asio::co_spawn(io, work(*this, count), [](std::exception_ptr bug) { EXPECT_FALSE(bug); });
    }
    template <class Condition> void run_until(Condition holds)
    {
        const auto give_up = std::chrono::steady_clock::now() + 60s;
        io.restart();
        while (!holds() && std::chrono::steady_clock::now() < give_up) io.run_one_for(100ms);
        ASSERT_TRUE(holds()) << "not within a minute";
    }
    /// The receiver reads nothing: until bytes are stuck on the way to it.
    void run_until_stuck()
    {
        run_until([&] { return reader.content_bytes() > moved; });
    }

    asio::io_context io;
    DeadlineWheel wheel{io.get_executor()};
    tcp::socket client{io};
    tcp::socket upstream{io};
    std::unique_ptr<SocketStream> gateway_client;
    std::unique_ptr<SocketStream> gateway_upstream;
    Buffer received;
    http::BodyReader reader{Side::upstream};
    std::chrono::milliseconds idle_limit{30'000};
    Tee* tee = nullptr;
    std::uint64_t moved = 0;
    std::uint64_t sent = 0;
    std::string got;
    bool received_all = false;
    std::optional<Result<>> end;
};

TEST_F(SpliceBody, MovesALongBodyUnchangedAndNoByteMore)
{
    constexpr std::size_t length = 16 * mebibyte + 12'345;
    received.append(bytes_from(0, 1000)); // was read with the head
    send(bytes_from(1000, length - 1000) + "HTTP/1.1 200 OK\r\n");
    receive(length);
    move(length, source());
    run_until([&] { return end && received_all; });

    EXPECT_TRUE(*end);
    EXPECT_TRUE(got == bytes_from(0, length));
    EXPECT_EQ(moved, length);
    EXPECT_TRUE(reader.ended());
    // What follows the body is the next answer's.
    std::string next(received.view());
    std::array<char, 100> rest{};
    if (const auto more = gateway_upstream->read_now(asio::buffer(rest))) next.append(rest.data(), more->value());
    EXPECT_EQ(next, "HTTP/1.1 200 OK\r\n");
}

TEST_F(SpliceBody, HoldsNoMoreThanAPipeForAReceiverThatStopped)
{
    send(bytes_from(0, 8 * mebibyte));
    move(8 * mebibyte, source());
    run_until_stuck();
    EXPECT_LE(reader.content_bytes() - moved, mebibyte);
    EXPECT_EQ(sent, 0u); // not all of it
    EXPECT_FALSE(end);

    receive(8 * mebibyte);
    run_until([&] { return end && received_all; });
    EXPECT_TRUE(*end);
    EXPECT_TRUE(got == bytes_from(0, 8 * mebibyte));
}

TEST_F(SpliceBody, GivesUpOnAReceiverThatTakesNothing)
{
    idle_limit = 300ms;
    send(bytes_from(0, 8 * mebibyte));
    move(8 * mebibyte, source());
    run_until([&] { return end.has_value(); });
    ASSERT_FALSE(*end);
    EXPECT_EQ(end->error().fault, Fault::timed_out);
    EXPECT_EQ(end->error().side, Side::client);
    EXPECT_GT(reader.content_bytes(), moved); // it was spliced
}

TEST_F(SpliceBody, TellsASenderThatEndsInsideTheBody)
{
    send(bytes_from(0, 3 * mebibyte));
    receive(16 * mebibyte);
    move(16 * mebibyte, source());
    run_until([&] { return moved == 3 * mebibyte; });
    upstream.close();
    run_until([&] { return end.has_value(); });
    ASSERT_FALSE(*end);
    EXPECT_EQ(end->error().fault, Fault::closed);
    EXPECT_EQ(end->error().side, Side::upstream);
    gateway_client->close();
    run_until([&] { return received_all; });
    EXPECT_TRUE(got == bytes_from(0, 3 * mebibyte)); // what came before is passed on
}

TEST_F(SpliceBody, TellsAReceiverThatGoesInsideTheBody)
{
    send(bytes_from(0, 8 * mebibyte));
    move(8 * mebibyte, source());
    run_until_stuck();
    client.close();
    run_until([&] { return end.has_value(); });
    ASSERT_FALSE(*end);
    EXPECT_EQ(end->error().fault, Fault::closed);
    EXPECT_EQ(end->error().side, Side::client);
}

TEST_F(SpliceBody, WaitsForNoSenderOnceTheReceiverIsClosed)
{
    begin(16 * mebibyte);
    gateway_client->close();
    const auto spliced = splice();
    run_until([&] { return spliced->has_value(); });
    EXPECT_EQ(spliced->value().error().fault, Fault::closed);
    EXPECT_EQ(spliced->value().error().side, Side::client);
}

TEST_F(SpliceBody, LeavesSmallPiecesToCopying)
{
    begin(16 * mebibyte);
    const auto spliced = splice();
    for (std::size_t piece = 0; piece < 8; ++piece) {
        EXPECT_FALSE(*spliced);
        send(bytes_from(piece * 1000, 1000));
        run_until([&] { return moved == (piece + 1) * 1000; });
    }
    run_until([&] { return spliced->has_value(); });
    EXPECT_TRUE(spliced->value().value());
    EXPECT_EQ(reader.content_bytes(), 8'000u);
}

TEST_F(SpliceBody, CopiesWhatSomebodyHasToSee)
{
    Tee seen;
    seen.limit_bytes = 100'000;
    tee = &seen;
    send(bytes_from(0, 8 * mebibyte));
    move(8 * mebibyte, source());
    run_until_stuck(); // the rest is spliced
    receive(8 * mebibyte);
    run_until([&] { return end && received_all; });
    EXPECT_TRUE(*end);
    EXPECT_TRUE(seen.bytes == bytes_from(0, 100'000));
    EXPECT_TRUE(got == bytes_from(0, 8 * mebibyte));
}

TEST_F(SpliceBody, SplicesNothingThatMayGetTooLong)
{
    auto from = source();
    from.limit_bytes = 4 * mebibyte;
    send(bytes_from(0, 8 * mebibyte));
    receive(8 * mebibyte);
    move(8 * mebibyte, from);
    run_until([&] { return end.has_value(); });
    ASSERT_FALSE(*end);
    EXPECT_EQ(end->error().fault, Fault::too_large);
    EXPECT_LE(moved, 4 * mebibyte);
}

TEST_F(SpliceBody, HoldsASenderToItsPace)
{
    Pace pace{.bytes_per_second = 100 * mebibyte, .grace = 100ms};
    send(bytes_from(0, 2 * mebibyte)); // and then no more
    receive(2 * mebibyte);
    begin(16 * mebibyte);
    const auto spliced = splice(&pace);
    run_until([&] { return spliced->has_value(); });
    ASSERT_FALSE(spliced->value());
    EXPECT_EQ(spliced->value().error().fault, Fault::timed_out);
    EXPECT_EQ(spliced->value().error().what, "body slower than 104857600 bytes a second");
    EXPECT_EQ(moved, 2 * mebibyte);
}

} // namespace
} // namespace gw::proxy
