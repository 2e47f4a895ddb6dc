#include "tests/gateway/tls/world.h"

#include <array>

namespace gw::testing {
namespace {

std::string pattern(std::size_t size)
{
    std::string text(size, '\0');
    for (std::size_t at = 0; at < size; ++at) text[at] = static_cast<char>((at * 131 + at / 251) & 0xff);
    return text;
}

void expect_fault(const Result<std::size_t>& outcome, Fault fault)
{
    ASSERT_FALSE(outcome) << *outcome << " bytes";
    EXPECT_EQ(outcome.error().fault, fault) << describe(outcome.error());
    EXPECT_EQ(outcome.error().side, Side::upstream);
}

/// Runs `talk` on the opened stream.
Task<> dialled(std::unique_ptr<Stream> plain, std::shared_ptr<const tls::DialContext> context,
               std::function<Task<>(Stream&)> talk)
{
    auto opened = co_await tls::dial(std::move(plain), "site.example", std::move(context));
    EXPECT_TRUE(opened) << (opened ? "" : describe(opened.error()));
    if (opened) co_await talk(**opened);
}

Task<> accepted(TlsUpstream& upstream, std::function<Task<>(TlsUpstream&)> talk)
{
    const auto opened = co_await upstream.accept();
    EXPECT_TRUE(opened);
    if (opened) co_await talk(upstream);
}

class Transfer : public TlsWorld {
protected:
    void talk(std::function<Task<>(Stream&)> gateway, std::function<Task<>(TlsUpstream&)> upstream_talk,
              std::size_t max_read = SIZE_MAX, std::size_t capacity = SIZE_MAX, int version = 0)
    {
        auto [near, far] = pipe(max_read, capacity);
        TlsUpstream upstream{std::move(far), site, {version, "http/1.1", nullptr}};
        run(dialled(std::move(near), trusting(), std::move(gateway)), accepted(upstream, std::move(upstream_talk)));
        io.restart();
    }
};

Task<> read_to_end(Stream& stream, std::string& into, std::size_t at_a_time)
{
    std::string bytes(at_a_time, '\0');
    for (;;) {
        const auto count = co_await stream.read_some(asio::buffer(bytes));
        EXPECT_TRUE(count) << (count ? "" : describe(count.error()));
        if (!count || *count == 0) co_return;
        into.append(bytes, 0, *count);
    }
}

Task<> read_to_end(TlsUpstream& upstream, std::string& into)
{
    for (;;) {
        const auto bytes = co_await upstream.read();
        if (bytes.empty()) co_return;
        into += bytes;
    }
}

struct Path {
    std::size_t max_read;
    std::size_t capacity;
    std::size_t at_a_time;
    std::size_t size;
};
// No capacity is less than the session tickets that the upstream sends before it reads: it would wait for ever.
constexpr std::array paths{Path{SIZE_MAX, SIZE_MAX, 65'536, 3'000'000}, Path{SIZE_MAX, 5'000, 1'000, 1'000'000},
                           Path{1, 2'000, 7, 20'000}, Path{17, 30'000, 16'384, 200'000}};

TEST_F(Transfer, BringsALotFromTheUpstream)
{
    for (const auto& path : paths) {
        const auto sent = pattern(path.size);
        std::string received;
        talk([&](Stream& stream) { return read_to_end(stream, received, path.at_a_time); },
             [&](TlsUpstream& upstream) -> Task<> {
                 const auto done = co_await upstream.write(sent);
                 EXPECT_TRUE(done);
                 co_await upstream.end();
             },
             path.max_read, path.capacity);
        EXPECT_TRUE(received == sent) << received.size();
    }
}

TEST_F(Transfer, BringsALotToTheUpstream)
{
    for (const auto& path : paths) {
        const auto sent = pattern(path.size);
        std::string received;
        talk(
            [&](Stream& stream) -> Task<> {
                const auto done = co_await write_all(stream, asio::buffer(sent));
                EXPECT_TRUE(done);
                stream.end_writing();
                std::string nothing;
                co_await read_to_end(stream, nothing, 100);
            },
            [&](TlsUpstream& upstream) -> Task<> {
                co_await read_to_end(upstream, received);
                EXPECT_TRUE(upstream.saw_close_notify());
                co_await upstream.end();
            },
            path.max_read, path.capacity);
        EXPECT_TRUE(received == sent) << received.size();
    }
}

TEST_F(Transfer, GathersSmallPiecesInOneRecord)
{
    std::string received;
    std::size_t reads = 0;
    std::vector<std::string> words(200, "word ");
    std::vector<asio::const_buffer> pieces;
    for (const auto& word : words) pieces.push_back(asio::buffer(word));
    talk(
        [&](Stream& stream) -> Task<> {
            const auto count = co_await stream.write_some(pieces);
            EXPECT_EQ(*count, 1'000U);
            stream.end_writing();
            std::string nothing;
            co_await read_to_end(stream, nothing, 100);
        },
        [&](TlsUpstream& upstream) -> Task<> {
            for (;;) {
                const auto bytes = co_await upstream.read();
                if (bytes.empty()) break;
                received += bytes;
                ++reads;
            }
            co_await upstream.end();
        });
    EXPECT_EQ(received.size(), 1'000U);
    EXPECT_EQ(reads, 1U);
}

TEST_F(Transfer, MixesLargeAndSmallPieces)
{
    const auto large = pattern(40'000);
    const std::string head = "head", tail = "tail", none;
    std::string received;
    talk(
        [&](Stream& stream) -> Task<> {
            const std::array pieces{asio::buffer(head), asio::buffer(none), asio::buffer(large), asio::buffer(tail)};
            const auto done = co_await write_all(stream, pieces);
            EXPECT_TRUE(done);
            stream.end_writing();
            std::string nothing;
            co_await read_to_end(stream, nothing, 100);
        },
        [&](TlsUpstream& upstream) -> Task<> {
            co_await read_to_end(upstream, received);
            co_await upstream.end();
        },
        SIZE_MAX, 10'000);
    EXPECT_TRUE(received == head + large + tail);
}

TEST_F(Transfer, GoesBothWaysAtOnceUnderBackPressure)
{
    const auto there = pattern(500'000);
    const auto back = pattern(400'000);
    std::string at_upstream, at_gateway;
    auto writer = [&](Stream& stream) -> Task<> {
        const auto done = co_await write_all(stream, asio::buffer(there));
        EXPECT_TRUE(done);
    };
    talk(
        [&](Stream& stream) -> Task<> {
            bool written = false;
            auto writing = writer(stream);
            asio::co_spawn(io, std::move(writing), [&](std::exception_ptr) { written = true; });
            std::string bytes(3'000, '\0');
            while (at_gateway.size() < back.size()) {
                const auto count = co_await stream.read_some(asio::buffer(bytes));
                EXPECT_TRUE(count && *count > 0);
                if (!count || *count == 0) break;
                at_gateway.append(bytes, 0, *count);
            }
            while (!written) co_await asio::post(asio::deferred);
            stream.end_writing();
            std::string nothing;
            co_await read_to_end(stream, nothing, 100);
        },
        [&](TlsUpstream& upstream) -> Task<> {
            // Simple as it is it must not do both at once: it answers each piece, and so fills both directions.
            std::size_t answered = 0;
            while (at_upstream.size() < there.size()) {
                const auto bytes = co_await upstream.read();
                if (bytes.empty()) break;
                at_upstream += bytes;
                const auto piece = std::string_view{back}.substr(answered, 20'000);
                if (piece.empty()) continue;
                answered += piece.size();
                const auto sent = co_await upstream.write(piece);
                EXPECT_TRUE(sent);
            }
            co_await read_to_end(upstream, at_upstream);
            co_await upstream.end();
        },
        SIZE_MAX, 8'000);
    EXPECT_TRUE(at_upstream == there) << at_upstream.size();
    EXPECT_TRUE(at_gateway == back) << at_gateway.size();
}

TEST_F(Transfer, TakesATruncatedStreamForAFailure)
{
    for (const auto version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        talk(
            [](Stream& stream) -> Task<> {
                char bytes[100];
                const auto first = co_await stream.read_some(asio::buffer(bytes));
                EXPECT_EQ(*first, 5U);
                for (int again = 0; again < 2; ++again) {
                    const auto second = co_await stream.read_some(asio::buffer(bytes));
                    expect_fault(second, Fault::closed);
                }
            },
            [](TlsUpstream& upstream) -> Task<> {
                const auto sent = co_await upstream.write("hello");
                EXPECT_TRUE(sent);
                upstream.cut();
            },
            SIZE_MAX, SIZE_MAX, version);
    }
}

TEST_F(Transfer, TakesABrokenRecordForAFailure)
{
    talk(
        [](Stream& stream) -> Task<> {
            char bytes[100];
            const auto count = co_await stream.read_some(asio::buffer(bytes));
            expect_fault(count, Fault::malformed);
            EXPECT_EQ(ERR_peek_error(), 0U);
            const auto sent = co_await write_all(stream, asio::buffer("x", 1));
            EXPECT_FALSE(sent);
        },
        [](TlsUpstream& upstream) -> Task<> {
            const std::string record = std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x');
            const auto sent = co_await write_all(upstream.plain(), asio::buffer(record));
            EXPECT_TRUE(sent);
        });
}

TEST_F(Transfer, AnswersAKeyUpdateWithTheNextData)
{
    std::string received;
    talk(
        [&](Stream& stream) -> Task<> {
            char bytes[100];
            for (int turn = 0; turn < 20; ++turn) {
                const auto count = co_await stream.read_some(asio::buffer(bytes));
                EXPECT_TRUE(count && *count == 4);
                if (!count) co_return;
                const auto sent = co_await write_all(stream, asio::buffer(bytes, *count));
                EXPECT_TRUE(sent);
            }
        },
        [&](TlsUpstream& upstream) -> Task<> {
            for (int turn = 0; turn < 20; ++turn) {
                SSL_key_update(upstream.openssl(), SSL_KEY_UPDATE_REQUESTED);
                const auto sent = co_await upstream.write("turn");
                EXPECT_TRUE(sent);
                received += co_await upstream.read();
            }
        },
        SIZE_MAX, SIZE_MAX, TLS1_3_VERSION);
    EXPECT_EQ(received.size(), 80U);
}

TEST_F(Transfer, WakesAWaitingReaderToSendItsEnd)
{
    bool seen = false;
    talk(
        [&](Stream& stream) -> Task<> {
            asio::post(io, [&] { stream.end_writing(); });
            std::string bytes;
            co_await read_to_end(stream, bytes, 100);
            EXPECT_EQ(bytes, "late");
        },
        [&](TlsUpstream& upstream) -> Task<> {
            std::string bytes;
            co_await read_to_end(upstream, bytes);
            seen = upstream.saw_close_notify();
            const auto sent = co_await upstream.write("late");
            EXPECT_TRUE(sent);
            co_await upstream.end();
        });
    EXPECT_TRUE(seen);
}

TEST_F(Transfer, FailsWaitingCallsWhenItIsClosed)
{
    talk(
        [&](Stream& stream) -> Task<> {
            asio::post(io, [&] { stream.close(); });
            char bytes[100];
            const auto count = co_await stream.read_some(asio::buffer(bytes));
            EXPECT_FALSE(count && *count > 0);
            const auto again = co_await stream.read_some(asio::buffer(bytes));
            expect_fault(again, Fault::closed);
        },
        [](TlsUpstream& upstream) -> Task<> {
            const auto bytes = co_await upstream.read();
            EXPECT_EQ(bytes, "");
        });
}

TEST_F(Transfer, EndsWaitsAtTheDeadline)
{
    talk(
        [&](Stream& stream) -> Task<> {
            stream.expire_after(std::chrono::milliseconds{20});
            char bytes[100];
            const auto count = co_await stream.read_some(asio::buffer(bytes));
            expect_fault(count, Fault::timed_out);
            stream.close();
        },
        [](TlsUpstream& upstream) -> Task<> {
            const auto bytes = co_await upstream.read();
            EXPECT_EQ(bytes, "");
        });
}

TEST_F(Transfer, WritesNothingAfterItsEnd)
{
    talk(
        [](Stream& stream) -> Task<> {
            stream.end_writing();
            stream.end_writing();
            const auto sent = co_await write_all(stream, asio::buffer("x", 1));
            EXPECT_FALSE(sent);
            std::string bytes;
            co_await read_to_end(stream, bytes, 100);
        },
        [](TlsUpstream& upstream) -> Task<> {
            std::string bytes;
            co_await read_to_end(upstream, bytes);
            co_await upstream.end();
        });
}

} // namespace
} // namespace gw::testing
