#include "gateway/base/socket_stream.h"
#include "gateway/relay/pipe.h"
#include "gateway/relay/relay.h"
#include "tests/support/far_end.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <optional>
#include <sys/ioctl.h>
#include <thread>

namespace gw::relay {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;

constexpr std::size_t mebibyte = 1024 * 1024;

/// The byte that stands at `at` in the test's endless stream.
std::uint8_t byte_at(std::uint64_t at) { return static_cast<std::uint8_t>((at * 2654435761u) >> 13); }

/// A relay between two real TCP connections on loopback. The test holds the far ends.
class Splice : public ::testing::Test {
protected:
    Splice() { connect(client, gateway_client, Side::client), connect(upstream, gateway_upstream, Side::upstream); }

    void connect(tcp::socket& far, std::unique_ptr<SocketStream>& ours, Side side)
    {
        ours = connect_far_end(far, io, side, wheel);
    }
    void start()
    {
        asio::co_spawn(io, run(*gateway_client, *gateway_upstream, onward, back, settings, counts),
                       [this](std::exception_ptr bug, Result<> result) {
                           EXPECT_FALSE(bug);
                           end.emplace(std::move(result));
                       });
    }
    template <class Condition> void run_until(Condition holds)
    {
        const auto give_up = std::chrono::steady_clock::now() + 60s;
        io.restart();
        while (!holds() && std::chrono::steady_clock::now() < give_up) io.run_one_for(100ms);
        ASSERT_TRUE(holds()) << "not within a minute";
    }
    static Task<> send(tcp::socket& into, std::uint64_t total, bool& done)
    {
        std::vector<std::uint8_t> piece(300'000);
        for (std::uint64_t sent = 0; sent < total;) {
            const auto count = std::min<std::uint64_t>(piece.size(), total - sent);
            for (std::size_t i = 0; i < count; ++i) piece[i] = byte_at(sent + i);
            auto outcome = co_await asio::async_write(into, asio::buffer(piece, count), as_outcome);
            auto& [failed, written] = outcome;
            if (failed) break;
            sent += written;
        }
        done = true;
    }
    /// Counts what comes until the end, and how much of it is not what `send` sent.
    Task<> receive(tcp::socket& from, std::uint64_t& total, std::uint64_t& wrong, bool& done)
    {
        std::vector<std::uint8_t> piece(200'000);
        for (;;) {
            auto outcome = co_await from.async_read_some(asio::buffer(piece), as_outcome);
            auto& [failed, count] = outcome;
            how_it_ended = failed;
            if (failed) break;
            for (std::size_t i = 0; i < count; ++i) wrong += piece[i] != byte_at(total + i);
            total += count;
        }
        done = true;
    }
    void spawn(Task<> work)
    {
        asio::co_spawn(io, std::move(work), [](std::exception_ptr bug) { EXPECT_FALSE(bug); });
    }

    asio::io_context io;
    DeadlineWheel wheel{io.get_executor()};
    tcp::socket client{io};
    tcp::socket upstream{io};
    std::unique_ptr<SocketStream> gateway_client;
    std::unique_ptr<SocketStream> gateway_upstream;
    Settings settings;
    Counts counts;
    Buffer onward, back;
    std::optional<Result<>> end;
    boost::system::error_code how_it_ended; // of the receiver that ended last
};

TEST_F(Splice, Moves64MiBBothWaysAtOnceUnchanged)
{
    constexpr auto total = 64 * mebibyte;
    start();
    bool sent_up = false, sent_down = false, got_up = false, got_down = false;
    std::uint64_t up = 0, down = 0, wrong = 0;
    spawn(send(client, total, sent_up));
    spawn(send(upstream, total, sent_down));
    spawn(receive(upstream, up, wrong, got_up));
    spawn(receive(client, down, wrong, got_down));
    run_until([&] { return sent_up && sent_down; });
    client.shutdown(tcp::socket::shutdown_send);
    upstream.shutdown(tcp::socket::shutdown_send);
    run_until([&] { return got_up && got_down && end; });

    EXPECT_TRUE(*end);
    EXPECT_EQ(up, total);
    EXPECT_EQ(down, total);
    EXPECT_EQ(wrong, 0u);
    EXPECT_EQ(counts.from_client_bytes, total);
    EXPECT_EQ(counts.to_client_bytes, total);
    EXPECT_GT(counts.spliced_bytes, total); // nearly all of both
    EXPECT_LE(counts.spliced_bytes, 2 * (total - settings.splice_after_bytes));
}

TEST_F(Splice, PassesAnEndOnAfterSplicingAndGoesOnTheOtherWay)
{
    start();
    bool sent = false, got_up = false, got_down = false;
    std::uint64_t up = 0, down = 0, wrong = 0;
    spawn(send(client, 4 * mebibyte, sent));
    spawn(receive(upstream, up, wrong, got_up));
    run_until([&] { return sent; });
    client.shutdown(tcp::socket::shutdown_send);
    run_until([&] { return got_up; });
    EXPECT_EQ(up, 4 * mebibyte);
    EXPECT_GT(counts.spliced_bytes, 0u);
    EXPECT_FALSE(end);

    bool answered = false;
    spawn(send(upstream, 4 * mebibyte, answered));
    spawn(receive(client, down, wrong, got_down));
    run_until([&] { return answered; });
    upstream.shutdown(tcp::socket::shutdown_send);
    run_until([&] { return got_down && end; });
    EXPECT_TRUE(*end);
    EXPECT_EQ(down, 4 * mebibyte);
    EXPECT_EQ(wrong, 0u);
}

TEST_F(Splice, ResetsTheSenderWhenTheReceiverClosesEarly)
{
    start();
    bool sent = false;
    spawn(send(client, 1024 * mebibyte, sent));
    bool got = false;
    std::uint64_t up = 0, wrong = 0;
    spawn(receive(upstream, up, wrong, got));
    run_until([&] { return up > 2 * mebibyte; });
    upstream.close();
    run_until([&] { return end.has_value() && sent; });

    ASSERT_FALSE(*end);
    EXPECT_EQ(end->error().fault, Fault::closed);
    EXPECT_EQ(end->error().side, Side::upstream);
    EXPECT_EQ(wrong, 0u);
    EXPECT_GE(counts.from_client_bytes, up);
}

TEST_F(Splice, PassesAResetOnAsAReset)
{
    start();
    bool sent = false, got = false;
    std::uint64_t up = 0, wrong = 0;
    spawn(send(client, 2 * mebibyte, sent));
    spawn(receive(upstream, up, wrong, got));
    run_until([&] { return sent && up == 2 * mebibyte; });
    client.set_option(asio::socket_base::linger(true, 0));
    client.close();
    run_until([&] { return end && got; });

    ASSERT_FALSE(*end);
    EXPECT_EQ(end->error().side, Side::client);
    EXPECT_EQ(how_it_ended, asio::error::connection_reset) << how_it_ended.message();
}

TEST_F(Splice, StopsReadingASenderWhoseReceiverIsStuck)
{
    start();
    bool sent = false;
    spawn(send(client, 1024 * mebibyte, sent));
    // Until nothing has moved for a while: sockets and pipe are full.
    std::uint64_t before = 0;
    do {
        before = counts.from_client_bytes;
        io.restart();
        io.run_for(200ms);
    } while (counts.from_client_bytes != before);
    EXPECT_FALSE(sent);
    EXPECT_LT(counts.from_client_bytes, 64 * mebibyte);

    bool got = false;
    std::uint64_t up = 0, wrong = 0;
    spawn(receive(upstream, up, wrong, got));
    run_until([&] { return up > before + 8 * mebibyte; });
    EXPECT_EQ(wrong, 0u);
    client.close();
    run_until([&] { return end.has_value() || got; });
}

TEST_F(Splice, GivesUpOnAStuckReceiverAfterTheIdleLimit)
{
    settings.idle_limit = 300ms;
    start();
    bool sent = false;
    spawn(send(client, 1024 * mebibyte, sent));
    run_until([&] { return end.has_value(); });

    ASSERT_FALSE(*end);
    EXPECT_EQ(end->error().fault, Fault::timed_out);
    EXPECT_EQ(end->error().side, Side::gateway);
    EXPECT_GT(counts.spliced_bytes, 0u);
}

TEST_F(Splice, CopiesSmallMessagesEvenOfLongConnections)
{
    settings.splice_after_bytes = 10'000;
    start();
    bool got = false;
    std::uint64_t up = 0, wrong = 0;
    spawn(receive(upstream, up, wrong, got));
    for (std::uint64_t sent = 0; sent < 100'000; sent += 1000) {
        std::array<std::uint8_t, 1000> piece{};
        for (std::size_t i = 0; i < piece.size(); ++i) piece[i] = byte_at(sent + i);
        asio::write(client, asio::buffer(piece));
        run_until([&] { return up == sent + 1000; });
    }
    EXPECT_EQ(wrong, 0u);
    EXPECT_EQ(counts.spliced_bytes, 0u);
}

TEST_F(Splice, GoesBackToCopyingWhenTheBulkIsOver)
{
    start();
    bool sent = false, got = false;
    std::uint64_t up = 0, wrong = 0;
    spawn(receive(upstream, up, wrong, got));
    spawn(send(client, 4 * mebibyte, sent));
    run_until([&] { return up == 4 * mebibyte; });
    const auto say = [&](std::size_t count) {
        const auto at = up;
        std::vector<std::uint8_t> piece(count);
        for (std::size_t i = 0; i < count; ++i) piece[i] = byte_at(at + i);
        asio::write(client, asio::buffer(piece));
        run_until([&] { return up == at + count; });
    };
    for (int i = 0; i < 20; ++i) say(100);
    const auto spliced = counts.spliced_bytes;
    for (int i = 0; i < 20; ++i) say(100);

    EXPECT_EQ(counts.spliced_bytes, spliced);
    EXPECT_EQ(wrong, 0u);
}

TEST_F(Splice, IsNotUsedWhenTheLimitIsNeverReached)
{
    settings.splice_after_bytes = SIZE_MAX;
    start();
    bool sent = false, got = false;
    std::uint64_t up = 0, wrong = 0;
    spawn(send(client, 8 * mebibyte, sent));
    spawn(receive(upstream, up, wrong, got));
    run_until([&] { return up == 8 * mebibyte; });
    EXPECT_EQ(wrong, 0u);
    EXPECT_EQ(counts.spliced_bytes, 0u);
    EXPECT_EQ(counts.from_client_bytes, 8 * mebibyte);
}

std::size_t open_descriptors()
{
    std::size_t open = 0;
    for (int fd = 0; fd < 1024; ++fd) open += ::fcntl(fd, F_GETFD) >= 0;
    return open;
}

TEST(Pipe, IsLentFromABoundedPoolAndNeverWithBytesOfOthers)
{
    const auto before = open_descriptors();
    {
        std::vector<Pipe> many;
        for (std::size_t i = 0; i < 2 * max_idle_pipes; ++i) {
            auto pipe = Pipe::take(256 * 1024);
            ASSERT_TRUE(pipe);
            many.push_back(std::move(*pipe));
        }
    }
    EXPECT_LE(open_descriptors(), before + 2 * max_idle_pipes);

    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    const Descriptor here{pair[0]};
    const Descriptor there{pair[1]};
    ASSERT_EQ(::write(there.number(), "secret", 6), 6);
    {
        auto pipe = Pipe::take(256 * 1024);
        ASSERT_TRUE(pipe);
        ASSERT_EQ(pipe->fill_from(here.number(), 4), 4); // no more than was asked for
        EXPECT_FALSE(pipe->empty());
    }
    std::vector<Pipe> all;
    for (std::size_t i = 0; i < max_idle_pipes; ++i) {
        all.push_back(std::move(*Pipe::take(256 * 1024)));
        EXPECT_TRUE(all.back().empty());
        EXPECT_EQ(all.back().drain_to(here.number()), 0);
    }
}

TEST(Pipe, IsSmallerWhereALargeOneIsNotToBeHad)
{
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    const Descriptor here{pair[0]};
    const Descriptor there{pair[1]};
    const std::string bytes(150'000, 'x');
    ASSERT_EQ(::write(there.number(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    ssize_t filled = 0;
    std::thread{[&] { // with a pool of its own
        auto pipe = Pipe::take(std::size_t{1} << 30);
        if (pipe) filled = pipe->fill_from(here.number(), SIZE_MAX);
    }}
        .join();
    EXPECT_EQ(filled, static_cast<ssize_t>(bytes.size()));
}

} // namespace
} // namespace gw::relay
