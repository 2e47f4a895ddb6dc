#include "tests/bench/exchange.h"

#include "tests/bench/pattern.h"

#include <gtest/gtest.h>

namespace gw::bench {
namespace {

using State = Exchange::State;

const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nX-Source: 10.0.1.2\r\n\r\n";
const std::string body(pattern().at(0, 100));

Wish wish(Kind kind, std::uint64_t size_bytes)
{
    Wish made;
    made.kind = kind;
    made.size_bytes = size_bytes;
    return made;
}

/// What an exchange says of these bytes, given in pieces of this size.
State said_of(Exchange& exchange, std::string_view bytes, std::size_t piece)
{
    auto state = State::more;
    for (; !bytes.empty() && state == State::more; bytes.remove_prefix(std::min(piece, bytes.size())))
        state = exchange.take(bytes.substr(0, piece));
    return state;
}

std::string why_wrong(const Wish& wish, std::string_view bytes)
{
    Exchange exchange(wish, 1);
    return said_of(exchange, bytes, bytes.size()) == State::wrong ? exchange.why() : "";
}

TEST(Pattern, RepeatsOnlyAfterAPrimeNumberOfBytes)
{
    for (const std::size_t shift : {1, 2, 64, 4096, 65'536}) EXPECT_FALSE(pattern().fits(shift, body)) << shift;
    EXPECT_TRUE(pattern().fits(Pattern::period, body));
}

TEST(Pattern, FitsAcrossPieces)
{
    std::string long_text;
    while (long_text.size() < 3 * Pattern::piece) long_text += pattern().at(long_text.size(), 50'000);
    EXPECT_TRUE(pattern().fits(0, long_text));
    long_text[2 * Pattern::piece + 1] ^= 1;
    EXPECT_FALSE(pattern().fits(0, long_text));
}

TEST(Exchange, IsCompleteAfterTheLastByteHoweverTheAnswerIsCut)
{
    const auto asked = wish(Kind::http, 100);
    const auto answer = head + body;
    for (std::size_t piece = 1; piece <= answer.size(); ++piece) {
        Exchange exchange(asked, 1);
        EXPECT_EQ(said_of(exchange, answer.substr(0, answer.size() - 1), piece), State::more) << piece;
        EXPECT_EQ(exchange.take(answer.substr(answer.size() - 1)), State::complete) << piece << ": " << exchange.why();
    }
}

TEST(Exchange, FindsWhatIsWrongWithAnAnswer)
{
    auto asked = wish(Kind::http, 100);
    auto other = body;
    other[99] ^= 1;
    EXPECT_EQ(why_wrong(asked, head + body), "");
    EXPECT_EQ(why_wrong(asked, head + other), "another byte than was sent, after 0");
    EXPECT_EQ(why_wrong(asked, head + body + "x"), "more bytes than announced");
    EXPECT_EQ(why_wrong(asked, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"), "status 502");
    EXPECT_EQ(why_wrong(asked, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"), "content-length 99");
    EXPECT_EQ(why_wrong(asked, "SSH-2.0-something\r\n\r\n"), "not an answer: SSH-2.0-something\r\n");
    asked.expect_source = "10.0.1.3";
    EXPECT_EQ(why_wrong(asked, head + body), "the origin saw 10.0.1.2 as the client");
}

TEST(Exchange, OfARefusalOnlyTheStatusIsKnown)
{
    auto asked = wish(Kind::http, 100);
    asked.status = 403;
    Exchange exchange(asked, 1);
    EXPECT_EQ(exchange.take("HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope"), State::complete);
}

TEST(Exchange, AnEndBeforeTheLastByteIsWrong)
{
    const auto asked = wish(Kind::http, 100);
    Exchange exchange(asked, 1);
    exchange.take(head + body.substr(0, 40));
    EXPECT_EQ(exchange.end(), State::wrong);
    EXPECT_EQ(exchange.why(), "closed after 40 bytes of the body");
}

TEST(Exchange, AMessageComesBackAsItWasAndIsNotTheOneBefore)
{
    const auto asked = wish(Kind::echo, 100);
    Exchange first(asked, 1);
    Exchange second(asked, 2);
    const std::string message(first.request());
    EXPECT_EQ(message.size(), 100U);
    EXPECT_EQ(first.take(message), State::complete);
    EXPECT_EQ(second.take(message), State::wrong);
}

TEST(Exchange, AStreamIsThePatternAndAsLongAsAsked)
{
    const auto asked = wish(Kind::stream, 100);
    Exchange exchange(asked, 1);
    EXPECT_EQ(exchange.request(), std::string_view("\0\0\0\0\0\0\0\x64", 8));
    EXPECT_EQ(said_of(exchange, body, 7), State::complete);
}

TEST(Exchange, ARequestSaysWhatTheLoadWishes)
{
    auto asked = wish(Kind::http, 100);
    asked.fields = "Accept: */*\r\n";
    asked.close = true;
    EXPECT_EQ(Exchange(asked, 1).request(),
              "GET /b/100 HTTP/1.1\r\nHost: site.example\r\nAccept: */*\r\nConnection: close\r\n\r\n");
}

} // namespace
} // namespace gw::bench
