#include "gateway/base/socket_stream.h"
#include "tests/gateway/tls/world.h"
#include "tests/support/far_end.h"

namespace gw::testing {
namespace {

/// A kept connection over TLS on a real socket, and another worker's loop.
class Moved : public TlsWorld {
protected:
    void SetUp() override
    {
        asio::ip::tcp::socket socket{io};
        auto near = connect_far_end(socket, io, Side::upstream, wheel);
        socket.set_option(asio::ip::tcp::no_delay{true}); // what it says is there when it has said it
        upstream.emplace(std::make_unique<SocketStream>(descriptor_of(std::move(socket)), Side::client, wheel), site,
                         TlsUpstream::Options{});
        auto dial = [](Moved& self, std::unique_ptr<Stream> plain) -> Task<> {
            auto opened = co_await tls::dial(std::move(plain), "site.example", self.trusting());
            EXPECT_TRUE(opened);
            if (opened) self.stream = std::move(*opened);
        };
        auto accept = [](Moved& self) -> Task<> { EXPECT_TRUE(co_await self.upstream->accept()); };
        run(dial(*this, std::move(near)), accept(*this));
        io.restart();
        ASSERT_NE(stream, nullptr);
    }
    void TearDown() override
    {
        wheel.stop();
        other_wheel.stop();
    }
    void both_run(Task<> work, asio::io_context& on)
    {
        bool ended = false;
        asio::co_spawn(on, std::move(work), [&](std::exception_ptr bug) {
            EXPECT_FALSE(bug);
            ended = true;
        });
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{10};
        while (!ended && std::chrono::steady_clock::now() < until) {
            for (auto* each : {&io, &other_io}) each->poll(), each->restart();
        }
        EXPECT_TRUE(ended);
    }
    void upstream_says(std::string_view text)
    {
        both_run([](Moved& self,
                    std::string_view said) -> Task<> { EXPECT_TRUE(co_await self.upstream->write(said)); }(*this, text),
                 io);
    }
    std::string reads(Stream& from, asio::io_context& on)
    {
        std::string got(64, '\0');
        both_run(
            [](Stream& source, std::string& into) -> Task<> {
                const auto count = co_await source.read_some(asio::buffer(into));
                EXPECT_TRUE(count) << (count ? "" : describe(count.error()));
                into.resize(count ? *count : 0);
            }(from, got),
            on);
        return got;
    }
    std::string upstream_hears(Stream& to, asio::io_context& on, std::string_view said)
    {
        both_run(
            [](Stream& into, std::string_view text) -> Task<> {
                EXPECT_TRUE(co_await write_all(into, asio::buffer(text)));
            }(to, said),
            on);
        std::string heard;
        both_run([](TlsUpstream& from, std::string& into) -> Task<> { into = co_await from.read(); }(*upstream, heard),
                 io);
        return heard;
    }

    DeadlineWheel wheel{io.get_executor()};
    asio::io_context other_io;
    DeadlineWheel other_wheel{other_io.get_executor()};
    std::optional<TlsUpstream> upstream;
    std::unique_ptr<Stream> stream;
};

TEST_F(Moved, GoesOnWithAnotherWorker)
{
    EXPECT_EQ(upstream_hears(*stream, io, "one"), "one");
    upstream_says("two");
    EXPECT_EQ(reads(*stream, io), "two");

    auto moved = stream->move_to(other_wheel);
    ASSERT_NE(moved, nullptr);
    EXPECT_TRUE(moved->is_quiet());
    EXPECT_EQ(stream->move_to(other_wheel), nullptr) << "twice";
    stream.reset();
    EXPECT_EQ(upstream_hears(*moved, other_io, "three"), "three");
    upstream_says("four");
    EXPECT_EQ(reads(*moved, other_io), "four");
    EXPECT_TRUE(tls::certificate_end(*moved).has_value());
    auto back = moved->move_to(wheel);
    ASSERT_NE(back, nullptr);
    EXPECT_EQ(upstream_hears(*back, io, "five"), "five");
}

// One that was moved asks the kernel what has come; one that stays is told by its poller, while anybody waits there.

TEST_F(Moved, IsQuietWithSessionTicketsOnly)
{
    auto moved = stream->move_to(other_wheel);
    ASSERT_NE(moved, nullptr);
    EXPECT_TRUE(moved->is_quiet()) << "the tickets came after the handshake, and nobody has read them";
    EXPECT_EQ(upstream_hears(*moved, other_io, "next"), "next");
}

TEST_F(Moved, IsNotQuietWhenTheUpstreamHasSpoken)
{
    upstream_says("HTTP/1.1 408 Request Timeout\r\n\r\n"); // behind the tickets
    auto moved = stream->move_to(other_wheel);
    ASSERT_NE(moved, nullptr);
    EXPECT_FALSE(moved->is_quiet());
}

TEST_F(Moved, IsNotQuietWhenItHasEnded)
{
    both_run([](TlsUpstream& from) -> Task<> { co_await from.end(); }(*upstream), io);
    auto moved = stream->move_to(other_wheel);
    ASSERT_NE(moved, nullptr);
    EXPECT_FALSE(moved->is_quiet());
}

TEST_F(Moved, IsNotQuietWhenItWasCut)
{
    upstream->cut();
    auto moved = stream->move_to(other_wheel);
    ASSERT_NE(moved, nullptr);
    EXPECT_FALSE(moved->is_quiet());
}

TEST_F(Moved, IsNotQuietWithAPieceOfARecord)
{
    const unsigned char piece[] = {0x17, 0x03, 0x03, 0x00, 0x40, 0x01, 0x02};
    ASSERT_EQ(::send(upstream->plain().plain_socket(), piece, sizeof piece, 0), static_cast<ssize_t>(sizeof piece));
    auto moved = stream->move_to(other_wheel);
    ASSERT_NE(moved, nullptr);
    EXPECT_FALSE(moved->is_quiet());
    EXPECT_EQ(moved->move_to(wheel), nullptr) << "half of it would stay behind";
}

} // namespace
} // namespace gw::testing
