#include "gateway/http/message.h"

#include <gtest/gtest.h>

namespace gw::http {
namespace {

using Kind = Framing::Kind;
enum class Verdict { taken, more, malformed, too_large };

Verdict verdict_of(const Result<std::variant<NeedMore, Complete>>& answer)
{
    if (answer) return std::holds_alternative<Complete>(*answer) ? Verdict::taken : Verdict::more;
    EXPECT_EQ(answer.error().side, Side::upstream);
    return answer.error().fault == Fault::too_large ? Verdict::too_large : Verdict::malformed;
}

/// Whole and byte by byte, which must agree.
Verdict verdict(std::string_view text, std::string_view method = "GET", const Limits& limits = {})
{
    ResponseHead head;
    const auto whole = verdict_of(parse_response_head(text, method, limits, head));
    HeadProgress progress;
    auto in_steps = Verdict::more;
    for (std::size_t size = 0; size <= text.size() && in_steps == Verdict::more; ++size) {
        const std::string moved{text.substr(0, size)};
        in_steps = verdict_of(parse_response_head(moved, method, limits, head, &progress));
    }
    EXPECT_EQ(in_steps, whole) << text;
    return whole;
}

ResponseHead parsed(std::string_view text, std::string_view method = "GET")
{
    ResponseHead head;
    const auto answer = parse_response_head(text, method, {}, head);
    EXPECT_EQ(verdict_of(answer), Verdict::taken) << text;
    return head;
}

std::string with(std::string_view lines, std::string_view status = "HTTP/1.1 200 OK")
{
    return std::string{status} + "\r\n" + std::string{lines} + "\r\n";
}

TEST(ResponseHead, IsTakenApart)
{
    const auto text = with("Server: x\r\nContent-Length: 12\r\n");
    const auto head = parsed(text);
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.reason, "OK");
    EXPECT_EQ(head.minor_version, 1);
    EXPECT_EQ(head.fields.size(), 2u);
    EXPECT_EQ(head.find("SERVER")->value, "x");
    EXPECT_EQ(head.find("none"), nullptr);
    EXPECT_EQ(head.framing.kind, Kind::length);
    EXPECT_EQ(head.framing.length_bytes, 12u);
    EXPECT_TRUE(head.keep_alive);
}

TEST(ResponseHead, AsksForMoreAtEveryCut)
{
    const auto text = with("Server: x\r\nContent-Length: 12\r\n");
    for (std::size_t cut = 0; cut < text.size(); ++cut)
        EXPECT_EQ(verdict(std::string_view{text}.substr(0, cut)), Verdict::more) << cut;
}

TEST(StatusLine, IsOneOfTheseForms)
{
    for (const auto good :
         {"HTTP/1.1 200 OK", "HTTP/1.1 200 ", "HTTP/1.1 200", "HTTP/1.0 404 Not Found", "HTTP/1.1 999 x",
          "HTTP/1.1 100 Continue", "HTTP/1.1 200 \xc3\xa4 \t!", "HTTP/1.7 200 OK", "HTTP/1.1 200  two"})
        EXPECT_EQ(verdict(with("", good)), Verdict::taken) << good;
    for (const auto bad : {"",
                           " HTTP/1.1 200 OK",
                           "HTTP/1.1  200 OK",
                           "HTTP/1.1 20 OK",
                           "HTTP/1.1 2000 OK",
                           "HTTP/1.1 099 x",
                           "HTTP/1.1 000 x",
                           "HTTP/1.1 +20 x",
                           "HTTP/1.1 2x0 OK",
                           "HTTP/1.1 200\tOK",
                           "HTTP/1.1\t200 OK",
                           "HTTP/2.0 200 OK",
                           "HTTP/2 200",
                           "HTTP/0.9 200 OK",
                           "http/1.1 200 OK",
                           "HTTP/1.1",
                           "HTTP/1.1 ",
                           "ICY 200 OK",
                           "HTTP/1.1 200 a\x01",
                           "HTTP/1.1 200 a\rb",
                           "\r\nHTTP/1.1 200 OK",
                           "<html>"})
        EXPECT_EQ(verdict(with("", bad)), Verdict::malformed) << bad;
    EXPECT_EQ(verdict("HTTP/1.1 200 OK\n\r\n"), Verdict::malformed);
    EXPECT_EQ(verdict("HTTP/1.1 200 OK\r\nA: b\n\r\n"), Verdict::malformed);
    EXPECT_EQ(verdict("HTTP/1.1 200 OK\r\nA: b\r\n\n"), Verdict::malformed);
}

// Threat A9: what a hostile upstream says about where its body ends.
TEST(A9ResponseFraming, IsOneOfThese)
{
    EXPECT_EQ(parsed(with("Transfer-Encoding: chunked\r\n")).framing.kind, Kind::chunked);
    EXPECT_EQ(parsed(with("Transfer-Encoding: Chunked\r\n")).framing.kind, Kind::chunked);
    EXPECT_EQ(parsed(with("")).framing.kind, Kind::until_close);
    EXPECT_FALSE(parsed(with("")).keep_alive);
    EXPECT_EQ(parsed(with("Content-Length: 0\r\n")).framing.kind, Kind::length);
    for (const auto bad : {"Content-Length: 5\r\nContent-Length: 5\r\n",
                           "Content-Length: 5, 5\r\n",
                           "Content-Length: -1\r\n",
                           "Content-Length: +1\r\n",
                           "Content-Length:\r\n",
                           "Content-Length: 0x1\r\n",
                           "Content-Length: 01\r\n",
                           "Content-Length: 9223372036854775808\r\n",
                           "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                           "Transfer-Encoding: gzip\r\n",
                           "Transfer-Encoding: gzip, chunked\r\n",
                           "Transfer-Encoding: chunked, gzip\r\n",
                           "Transfer-Encoding: identity\r\n",
                           "Transfer-Encoding: xchunked\r\n",
                           "Transfer-Encoding:\r\n",
                           "Transfer-Encoding: \x0b"
                           "chunked\r\n",
                           "Content-Length : 5\r\n",
                           "A: b\r\n c\r\n",
                           ": x\r\n",
                           "x\r\n"}) {
        EXPECT_EQ(verdict(with(bad)), Verdict::malformed) << bad;
        EXPECT_EQ(verdict(with(bad), "HEAD"), Verdict::malformed) << bad;
    }
    EXPECT_EQ(verdict(with("Transfer-Encoding: chunked\r\n", "HTTP/1.0 200 OK")), Verdict::malformed);
}

TEST(A9ResponseFraming, HasNoBodyWhereNoneMayBe)
{
    const auto lines = "Content-Length: 12\r\n";
    EXPECT_EQ(parsed(with(lines), "HEAD").framing.kind, Kind::none);
    EXPECT_TRUE(parsed(with(lines), "HEAD").keep_alive);
    EXPECT_TRUE(parsed(with(""), "HEAD").keep_alive);
    EXPECT_EQ(parsed(with(lines, "HTTP/1.1 304 x")).framing.kind, Kind::none);
    EXPECT_TRUE(parsed(with(lines, "HTTP/1.1 304 x")).keep_alive);
    EXPECT_EQ(parsed(with("", "HTTP/1.1 204 x")).framing.kind, Kind::none);
    EXPECT_TRUE(parsed(with("", "HTTP/1.1 204 x")).keep_alive);
    EXPECT_EQ(parsed(with("", "HTTP/1.1 101 x")).framing.kind, Kind::none);
    EXPECT_EQ(parsed(with("", "HTTP/1.1 200 x"), "CONNECT").framing.kind, Kind::none);
    EXPECT_EQ(parsed(with(lines, "HTTP/1.1 403 x"), "CONNECT").framing.kind, Kind::length);
}

TEST(A9ResponseFraming, EndsTheConnectionWhenABodyWasPromisedThatMayNotBe)
{
    for (const auto status : {"HTTP/1.1 204 x", "HTTP/1.1 100 x", "HTTP/1.1 103 x"})
        for (const auto lines : {"Content-Length: 12\r\n", "Transfer-Encoding: chunked\r\n"}) {
            EXPECT_EQ(parsed(with(lines, status)).framing.kind, Kind::none) << status;
            EXPECT_FALSE(parsed(with(lines, status)).keep_alive) << status << lines;
        }
    EXPECT_TRUE(parsed(with("Content-Length: 0\r\n", "HTTP/1.1 204 x")).keep_alive);
}

TEST(ResponseHead, SaysWhetherTheUpstreamGoesOn)
{
    const std::string length = "Content-Length: 1\r\n";
    EXPECT_TRUE(parsed(with(length)).keep_alive);
    EXPECT_FALSE(parsed(with(length + "Connection: close\r\n")).keep_alive);
    EXPECT_FALSE(parsed(with(length, "HTTP/1.0 200 OK")).keep_alive);
    EXPECT_TRUE(parsed(with(length + "Connection: keep-alive\r\n", "HTTP/1.0 200 OK")).keep_alive);
    const auto text = with("Upgrade: websocket\r\nConnection: upgrade\r\n", "HTTP/1.1 101 x");
    EXPECT_EQ(parsed(text).upgrade, "websocket");
    EXPECT_EQ(verdict(with("Connection: a b\r\n")), Verdict::malformed);
}

TEST(A9ResponseLimits, AreExact)
{
    Limits limits;
    limits.head_bytes = 100;
    limits.fields = 3;
    const auto of = [](std::size_t size) {
        return with("X: " + std::string(size - with("X: \r\n").size(), 'v') + "\r\n");
    };
    EXPECT_EQ(verdict(of(100), "GET", limits), Verdict::taken);
    EXPECT_EQ(verdict(of(101), "GET", limits), Verdict::too_large);
    EXPECT_EQ(verdict(with("A: 1\r\nB: 2\r\nC: 3\r\n"), "GET", limits), Verdict::taken);
    EXPECT_EQ(verdict(with("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n"), "GET", limits), Verdict::too_large);
    EXPECT_EQ(verdict("HTTP/1.1 200 " + std::string(200, 'r'), "GET", limits), Verdict::too_large);
}

TEST(ResponseHead, ForgetsTheResponseBefore)
{
    ResponseHead head;
    const auto first = with("Content-Length: 7\r\nConnection: close\r\n");
    const auto second = with("", "HTTP/1.1 204 ");
    ASSERT_TRUE(parse_response_head(first, "GET", {}, head));
    ASSERT_TRUE(parse_response_head(second, "GET", {}, head));
    EXPECT_EQ(head.framing.kind, Kind::none);
    EXPECT_EQ(head.framing.length_bytes, 0u);
    EXPECT_EQ(head.reason, "");
    EXPECT_TRUE(head.keep_alive);
    EXPECT_TRUE(head.connection_options.empty());
}

} // namespace
} // namespace gw::http
