#include "gateway/base/socket_stream.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace gw {
namespace {

using namespace std::chrono_literals;

class SocketStreamTest : public ::testing::Test {
protected:
    SocketStreamTest()
    {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        stream = std::make_unique<SocketStream>(Descriptor{ends[0]}, Side::client, wheel);
        other = ends[1];
    }
    ~SocketStreamTest() override
    {
        if (other >= 0) ::close(other);
    }
    template <class Work> void run(Work work)
    {
        bool done = false;
        asio::co_spawn(io, work(), [&](std::exception_ptr bug) {
            if (bug) std::rethrow_exception(bug);
            done = true;
        });
        io.restart();
        const auto limit = std::chrono::steady_clock::now() + 5s;
        while (!done && std::chrono::steady_clock::now() < limit) io.run_one_for(50ms);
        EXPECT_TRUE(done) << "still waiting";
    }

    asio::io_context io{1};
    DeadlineWheel wheel{io.get_executor()};
    std::unique_ptr<SocketStream> stream;
    int other = -1;
};

TEST_F(SocketStreamTest, TellsTheEndAsOftenAsItIsAsked)
{
    ASSERT_EQ(::write(other, "x", 1), 1);
    ASSERT_EQ(::shutdown(other, SHUT_WR), 0);
    run([&]() -> Task<void> {
        char byte[8];
        for (const std::size_t expected : {1U, 0U, 0U, 0U}) {
            const auto count = co_await stream->read_some(asio::buffer(byte));
            EXPECT_EQ(*count, expected);
        }
        const auto readable = co_await stream->wait_readable();
        EXPECT_TRUE(readable);
    });
}

TEST_F(SocketStreamTest, EndsAWaitAtItsDeadlineAndGoesOnWhenItIsMoved)
{
    run([&]() -> Task<void> {
        char byte[8];
        stream->expire_after(60ms);
        auto count = co_await stream->read_some(asio::buffer(byte));
        EXPECT_EQ(count.error().fault, Fault::timed_out);
        count = co_await stream->read_some(asio::buffer(byte));
        EXPECT_EQ(count.error().fault, Fault::timed_out) << "until it is moved";
        stream->expire_after(10s);
        EXPECT_EQ(::write(other, "x", 1), 1);
        count = co_await stream->read_some(asio::buffer(byte));
        EXPECT_EQ(*count, 1U);
    });
    wheel.stop();
}

TEST_F(SocketStreamTest, LosesNothingWhenAWaitIsCancelled)
{
    run([&]() -> Task<void> {
        char byte[8];
        asio::steady_timer soon{io, 20ms};
        soon.async_wait([&](boost::system::error_code) { stream->cancel(); });
        auto count = co_await stream->read_some(asio::buffer(byte));
        EXPECT_EQ(count.error().fault, Fault::closed);
        EXPECT_EQ(::write(other, "x", 1), 1);
        count = co_await stream->read_some(asio::buffer(byte));
        EXPECT_EQ(*count, 1U);
    });
}

TEST_F(SocketStreamTest, SaysWhichSideHasGone)
{
    ::close(std::exchange(other, -1));
    run([&]() -> Task<void> {
        const auto written = co_await write_all(*stream, asio::buffer("x", 1));
        EXPECT_EQ(written.error().fault, Fault::closed);
        EXPECT_EQ(written.error().side, Side::client);
    });
}

// What the kernel takes at once may end in any piece, and anywhere in it.
TEST_F(SocketStreamTest, WritesTheRestOfWhatWasCutAnywhere)
{
    const int small = 4608;
    ASSERT_EQ(::setsockopt(stream->plain_socket(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    const auto text = [](std::size_t size, char first) {
        std::string made(size, ' ');
        for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<char>(first + i % 23);
        return made;
    };
    for (const std::size_t first : {0U, 1U, 1'000U, 3'000U, 20'000U}) {
        const auto a = text(first, 'A'), b = text(7, '0'), c = text(9'000, 'a');
        const std::array<asio::const_buffer, 4> parts{asio::buffer(a), asio::buffer(b), asio::const_buffer{},
                                                      asio::buffer(c)};
        std::string arrived;
        const auto take = [&] {
            char bytes[700];
            const auto count = ::recv(other, bytes, sizeof bytes, MSG_DONTWAIT);
            if (count > 0) arrived.append(bytes, static_cast<std::size_t>(count));
        };
        const auto left = write_at_once(*stream, parts);
        ASSERT_LT(left, a.size() + b.size() + c.size());
        bool written = left == 0;
        auto rest = [&]() -> Task<void> {
            if (left > 0) {
                const auto done = co_await write_rest(*stream, parts, left);
                EXPECT_TRUE(done);
            }
            written = true;
        };
        asio::co_spawn(io, rest(), asio::detached);
        io.restart();
        for (int i = 0; i < 10'000 && (!written || arrived.size() < a.size() + b.size() + c.size()); ++i) {
            take();
            io.poll();
            io.restart();
        }
        EXPECT_TRUE(written);
        EXPECT_EQ(arrived, a + b + c) << first;
    }
}

TEST_F(SocketStreamTest, WritesNothingAtOnceWhenThereIsNobody)
{
    ::close(std::exchange(other, -1));
    const std::string text = "text";
    const auto part = asio::const_buffer{text.data(), text.size()};
    EXPECT_EQ(write_at_once(*stream, {&part, 1}), text.size());
    run([&]() -> Task<void> {
        const auto rest = co_await write_rest(*stream, {&part, 1}, text.size());
        EXPECT_EQ(rest.error().fault, Fault::closed);
    });
}

} // namespace
} // namespace gw
