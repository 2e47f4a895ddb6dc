// Where a message ends and which bytes may be in it: what two parsers could read in two ways is refused.

#include "tests/gateway/http/request_verdicts.h"

#include <cctype>
#include <cstring>

namespace gw::http {
namespace {

using namespace testing;

// Threat A6: every byte in every class of position.
TEST(A6ForbiddenBytes, AreRefusedInEveryPosition)
{
    const auto is_token = [](int c) {
        return std::isalnum(c) != 0 ||
               (c != 0 && std::string_view{"!#$%&'*+-.^_`|~"}.find(static_cast<char>(c)) != std::string_view::npos);
    };
    for (int c = 0; c < 256; ++c) {
        const std::string byte(1, static_cast<char>(c));
        const bool ascii = c < 0x80;
        const auto expect = [&](const std::string& text, bool good, const char* position) {
            const int status = verdict(text);
            EXPECT_EQ(status, good ? 0 : 400) << position << " byte " << c;
            EXPECT_EQ(verdict_in_steps(text, 1), status) << position << " byte " << c;
        };
        expect(to("G" + byte + "T / HTTP/1.1"), ascii && is_token(c), "method");
        expect(to("GET /12345678" + byte + "abcdefgh HTTP/1.1"), c > 0x20 && c < 0x7f && c != '#', "path");
        expect(to("GET /a?b" + byte + " HTTP/1.1"), c > 0x20 && c < 0x7f && c != '#', "query");
        expect("GET / HTTP/1.1" + byte + "\r\nHost: a\r\n\r\n", false, "after the version");
        expect(with("X" + byte + "Y: a\r\n"), (ascii && is_token(c)) || c == ':', "name");
        expect(with("X: 12345678" + byte + "abcdefgh\r\n"), c == '\t' || (c >= 0x20 && c != 0x7f), "value");
        expect(with("X: a" + byte + "\r\n"), c == '\t' || (c >= 0x20 && c != 0x7f), "end of value");
        expect(with("X: a\r" + byte + "\r\n"), c == '\n', "after CR"); // then the head ends there
        const bool in_host = ascii && (std::isalnum(c) != 0 || (c != 0 && std::strchr("-._~!$&'()*+;=", c) != nullptr));
        expect(to("GET / HTTP/1.1", "a" + byte + "b"), in_host, "Host");
        expect(to("GET http://a" + byte + "b/ HTTP/1.1", "ab"), false, "authority");
        expect(with("Content-Length: 1" + byte + "\r\n"), std::isdigit(c) != 0 || c == ' ', "length");
        expect(with("Content-Length: " + byte + "1\r\n"), (std::isdigit(c) != 0 && c != '0') || c == ' ', "length");
    }
}

// Threat A1: all pairs of length headers and codings. One of them may be understood, never both.
const std::vector<std::string> bad_lengths{"",
                                           "+5",
                                           "-5",
                                           " +5",
                                           "5, 5",
                                           "5,5",
                                           "5 5",
                                           "5,",
                                           ",5",
                                           "0x5",
                                           "5h",
                                           "five",
                                           "5.0",
                                           "5e1",
                                           "05",
                                           "00",
                                           "\t5",
                                           "5\t",
                                           "5\x0b",
                                           "\"5\"",
                                           "9223372036854775808",
                                           "18446744073709551616",
                                           "18446744073709551621",
                                           "99999999999999999999",
                                           "000000000000000000005",
                                           "5;a",
                                           "5\r\n 5",
                                           "5\xa0",
                                           "(5)",
                                           "5-",
                                           "1_0",
                                           "5L"};
const std::vector<std::string> bad_codings{"",
                                           "identity",
                                           "xchunked",
                                           "chunkedx",
                                           "chunked, chunked",
                                           "chunked,chunked",
                                           "gzip",
                                           "gzip, chunked",
                                           "chunked, gzip",
                                           "chunked, identity",
                                           "identity, chunked",
                                           ", chunked",
                                           "chunked,",
                                           "chunked;a=b",
                                           "\"chunked\"",
                                           "'chunked'",
                                           "chunk",
                                           "chunked\x0b",
                                           "\x0b"
                                           "chunked",
                                           "\tchunked",
                                           "chunked\t",
                                           "ch unked",
                                           "chunked chunked",
                                           "\xa0"
                                           "chunked",
                                           "chunked\xa0",
                                           "chunKed, ",
                                           "deflate",
                                           "x"};

TEST(A1Framing, TakesOneLengthWrittenPlainly)
{
    for (const auto& [text, length] :
         {std::pair{"0", 0ULL}, {"5", 5ULL}, {"10", 10ULL}, {"9223372036854775807", 9223372036854775807ULL}}) {
        const auto head_text = with("Content-Length:  " + std::string{text} + " \r\n");
        const auto head = parsed(head_text);
        EXPECT_EQ(head.framing.kind, Framing::Kind::length);
        EXPECT_EQ(head.framing.length_bytes, length);
    }
    for (const auto& bad : bad_lengths) holds({{with("Content-Length:" + bad + "\r\n"), 400}});
}

TEST(A1Framing, TakesTheChunkedCodingOnly)
{
    for (const std::string good : {"chunked", "Chunked", "CHUNKED", " chunked  "}) {
        const auto text = with("Transfer-Encoding:" + good + "\r\n");
        EXPECT_EQ(parsed(text).framing.kind, Framing::Kind::chunked);
    }
    for (const auto& bad : bad_codings) {
        const auto text = with("Transfer-Encoding:" + bad + "\r\n");
        const int status = verdict(text);
        EXPECT_TRUE(status == 400 || status == 501) << bad << " -> " << status;
        EXPECT_EQ(verdict_in_steps(text, 1), status);
    }
    EXPECT_EQ(verdict(with("Transfer-Encoding: gzip\r\n")), 501);
    EXPECT_EQ(verdict(with("Transfer-Encoding: xchunked\r\n")), 501);
    EXPECT_EQ(verdict(with("Transfer-Encoding: chunked, chunked\r\n")), 400);
    EXPECT_EQ(verdict("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

TEST(A1Framing, RefusesEveryPairOfLengthsAndCodings)
{
    auto lengths = bad_lengths;
    auto codings = bad_codings;
    for (const char* good : {"0", "5", "6"}) lengths.emplace_back(good);
    codings.insert(codings.end(), {"chunked", "CHUNKED"});
    int asked = 0;
    const auto refused = [&asked](const std::string& one, const std::string& other) {
        for (const auto& text : {with(one + other), with(other + one), with(one + "X: y\r\n" + other)}) {
            const int status = verdict(text);
            EXPECT_TRUE(status == 400 || status == 501) << text << status;
            ++asked;
        }
    };
    for (const auto& length : lengths) {
        for (const auto& coding : codings)
            refused("Content-Length: " + length + "\r\n", "Transfer-Encoding: " + coding + "\r\n");
        for (const auto& other : lengths)
            refused("Content-Length: " + length + "\r\n", "content-length: " + other + "\r\n");
    }
    for (const auto& coding : codings)
        for (const auto& other : codings)
            refused("Transfer-Encoding: " + coding + "\r\n", "transfer-encoding: " + other + "\r\n");
    EXPECT_GT(asked, 9'000);
}

TEST(A1Framing, KeepsNamesThatOnlyLookLikeFraming)
{
    const auto text = with("Content_Length: 5\r\nX-Transfer-Encoding: chunked\r\n");
    EXPECT_EQ(parsed(text).framing.kind, Framing::Kind::none);
    holds({{with("Content-Length : 5\r\n"), 400}, {with("Transfer-Encoding\x0b: chunked\r\n"), 400}});
}

// Threat A10: at the limit accepted, one over refused, whole and byte by byte.
void limit_is_exact(const std::string& at, const std::string& over, const Limits& limits, int status)
{
    EXPECT_EQ(verdict(at, limits), 0);
    EXPECT_EQ(verdict_in_steps(at, 1, limits), 0);
    EXPECT_EQ(verdict(over, limits), status);
    EXPECT_EQ(verdict_in_steps(over, 1, limits), status);
}

TEST(A10Limits, OfTheTargetAreExact)
{
    Limits limits;
    limits.target_bytes = 100;
    const auto of = [](std::size_t size) { return to("GET /" + std::string(size - 1, 'a') + " HTTP/1.1"); };
    limit_is_exact(of(100), of(101), limits, 414);
    EXPECT_EQ(verdict("GET /" + std::string(100, 'a'), limits), 414) << "sure before the line is complete";
    limit_is_exact(of(8192), of(8193), {}, 414);
}

TEST(A10Limits, OfTheFieldsAreExact)
{
    Limits limits;
    limits.fields = 5;
    limit_is_exact(with("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n"), with("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n"), limits,
                   431);
    EXPECT_EQ(verdict("GET / HTTP/1.1\r\nHost: a\r\nA:1\r\nB:2\r\nC:3\r\nD:4\r\nE", limits), 431);
    std::string hundred, more;
    for (int i = 0; i < 99; ++i) hundred += "a:b\r\n";
    more = hundred + "a:b\r\n";
    limit_is_exact(with(hundred), with(more), {}, 431);
}

TEST(A10Limits, OfTheHeadAreExact)
{
    Limits limits;
    limits.head_bytes = 200;
    const auto of = [](std::size_t size) {
        return with("X: " + std::string(size - with("X: \r\n").size(), 'v') + "\r\n");
    };
    ASSERT_EQ(of(200).size(), 200u);
    limit_is_exact(of(200), of(201), limits, 431);
    limit_is_exact(of(32 * 1024), of(32 * 1024 + 1), {}, 431);
    EXPECT_EQ(verdict(of(300).substr(0, 200), limits), 431) << "sure before the head is complete";
    EXPECT_EQ(verdict(with(std::string(32 * 1024, 'n') + ": v\r\n")), 431) << "a huge name";
    limits.head_bytes = 50;
    EXPECT_EQ(verdict("GET /" + std::string(100, 'a'), limits), 414);
}

TEST(Connection, SaysWhetherTheClientGoesOn)
{
    const auto keeps = [](std::string_view version, std::string_view lines) {
        const auto text = "GET / HTTP/" + std::string{version} + "\r\nHost: a\r\n" + std::string{lines} + "\r\n";
        return parsed(text).keep_alive;
    };
    EXPECT_TRUE(keeps("1.1", ""));
    EXPECT_FALSE(keeps("1.0", ""));
    EXPECT_TRUE(keeps("1.0", "Connection: Keep-Alive\r\n"));
    EXPECT_FALSE(keeps("1.1", "Connection: Close\r\n"));
    EXPECT_FALSE(keeps("1.0", "Connection: keep-alive, close\r\n"));
    EXPECT_FALSE(keeps("1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
    EXPECT_TRUE(keeps("1.1", "Connection: ,, x,\r\n"));
}

TEST(Connection, NamesFieldsThatEndHere)
{
    const auto text = with("Connection: close, X-One\r\nConnection:X-Two\r\n");
    const auto head = parsed(text);
    EXPECT_EQ(head.connection_options, (std::vector<std::string_view>{"close", "X-One", "X-Two"}));
    holds({
        {with("Connection: a b\r\n"), 400},
        {with("Connection: \"a\"\r\n"), 400},
        {with("Connection: Content-Length\r\n"), 400},
        {with("Connection: close, HOST\r\n"), 400},
        {with("Connection: transfer-encoding\r\n"), 400},
        {with("Connection: te, cookie\r\n"), 0},
        {with("Connection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,1,2,3,4,5,6\r\n"), 0},
        {with("Connection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,1,2,3,4,5,6,7\r\n"), 400},
    });
}

TEST(Connection, TakesAwayOnlyWhatIsNotTheMessagesMeaning)
{
    const std::vector<std::string_view> options{"X-Hop",         "Content-Type",     "Cookie",
                                                "Authorization", "X-Forwarded-For",  "Forwarded",
                                                "If-Match",      "Content-Encoding", "Range"};
    for (const auto name : {"x-hop", "Connection", "keep-alive", "TE", "transfer-encoding", "Upgrade",
                            "Proxy-Connection", "proxy-authenticate", "Proxy-Authorization"})
        EXPECT_TRUE(ends_here(name, options)) << name;
    for (const auto name : {"content-type", "Cookie", "authorization", "X-Forwarded-For", "forwarded", "If-Match",
                            "Content-Encoding", "range", "Accept", "Trailer", "", "Host"})
        EXPECT_FALSE(ends_here(name, options)) << name;
}

TEST(Upgrade, CountsWhenConnectionNamesItAndItIsInspected)
{
    const auto upgrade = [](std::string_view lines, std::string_view version = "1.1") {
        const auto text = "GET / HTTP/" + std::string{version} + "\r\nHost: a\r\n" + std::string{lines} + "\r\n";
        return std::string{parsed(text).upgrade};
    };
    EXPECT_EQ(upgrade("Upgrade: websocket\r\nConnection: Upgrade\r\n"), "websocket");
    EXPECT_EQ(upgrade("Upgrade: a/1, b\r\nConnection: keep-alive, upgrade\r\n"), "a/1, b");
    EXPECT_EQ(upgrade("Upgrade: websocket\r\n"), "");
    EXPECT_EQ(upgrade("Upgrade: websocket\r\nConnection: Upgrade\r\n", "1.0"), "");
    EXPECT_EQ(upgrade("Upgrade: websocket\r\nUpgrade: a\r\nConnection: Upgrade\r\n"), "");
    EXPECT_EQ(upgrade("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"), "");
    EXPECT_EQ(upgrade("Upgrade: websocket, H2C\r\nConnection: Upgrade\r\n"), "");
    EXPECT_EQ(upgrade("Upgrade: TLS/1.2, HTTP/1.1\r\nConnection: Upgrade\r\n"), "");
    EXPECT_EQ(upgrade("Upgrade: a b\r\nConnection: Upgrade\r\n"), "");
    EXPECT_EQ(upgrade("Connection: Upgrade\r\n"), "");
}

TEST(Expect, WaitsOnlyBeforeABody)
{
    const auto waits = [](std::string_view lines) {
        const auto text = with(lines);
        return parsed(text).expects_continue;
    };
    EXPECT_TRUE(waits("Expect: 100-continue\r\nContent-Length: 5\r\n"));
    EXPECT_TRUE(waits("Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n"));
    EXPECT_FALSE(waits("Expect: 100-continue\r\n"));
    EXPECT_FALSE(waits("Expect: 100-continue\r\nContent-Length: 0\r\n"));
    EXPECT_FALSE(waits("Expect: 200-ok\r\nContent-Length: 5\r\n"));
    EXPECT_FALSE(waits("Content-Length: 5\r\n"));
}

} // namespace
} // namespace gw::http
