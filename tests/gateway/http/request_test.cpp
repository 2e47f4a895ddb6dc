#include "gateway/http/message.h"

#include <gtest/gtest.h>

#include <ostream>

namespace gw::http {
namespace {

using Answer = std::variant<NeedMore, Complete, Refusal>;

/// What a whole head gives: 0 complete, -1 more is asked for, or the status of the refusal.
int verdict_of(const Answer& answer)
{
    if (std::holds_alternative<NeedMore>(answer)) return -1;
    if (const auto* refusal = std::get_if<Refusal>(&answer)) return refusal->status;
    return 0;
}

int verdict(std::string_view text, const Limits& limits = {})
{
    RequestHead head;
    return verdict_of(parse_request_head(text, limits, head));
}

/// The first answer other than "more" when the bytes come `step` at a time, as from a socket.
int verdict_in_steps(std::string_view text, std::size_t step, const Limits& limits = {})
{
    RequestHead head;
    HeadProgress progress;
    for (std::size_t size = 0;; size = std::min(size + step, text.size())) {
        const std::string moved{text.substr(0, size)}; // the buffer is another one each time
        const int answer = verdict_of(parse_request_head(moved, limits, head, &progress));
        if (answer != -1 || size == text.size()) return answer;
    }
}

/// The head of a request that is complete, or a test that fails. `text` must outlive it.
RequestHead parsed(std::string_view text)
{
    RequestHead head;
    const auto answer = parse_request_head(text, {}, head);
    const auto* complete = std::get_if<Complete>(&answer);
    EXPECT_TRUE(complete) << text << " -> " << verdict_of(answer);
    if (complete) {
        EXPECT_EQ(complete->size_bytes, text.find("\r\n\r\n") + 4) << text;
    }
    return head;
}

/// "GET / HTTP/1.1", Host and these lines.
std::string with(std::string_view lines) { return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string{lines} + "\r\n"; }
std::string to(std::string_view request_line, std::string_view host = "a")
{
    return std::string{request_line} + "\r\nHost: " + std::string{host} + "\r\n\r\n";
}

constexpr std::string_view browser = "GET /shop/list?page=2&sort=price HTTP/1.1\r\n"
                                     "Host: shop.example:8080\r\n"
                                     "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0\r\n"
                                     "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n"
                                     "Accept-Language: de,en-US;q=0.7,en;q=0.3\r\n"
                                     "Accept-Encoding: gzip, deflate, br, zstd\r\n"
                                     "Referer: http://shop.example:8080/\r\n"
                                     "Connection: keep-alive\r\n"
                                     "Cookie: session=0123456789abcdef; theme=dark\r\n"
                                     "Upgrade-Insecure-Requests: 1\r\n"
                                     "\r\n";

TEST(RequestHead, IsTakenApart)
{
    const auto head = parsed(browser);
    EXPECT_EQ(head.method, "GET");
    EXPECT_EQ(head.target, "/shop/list?page=2&sort=price");
    EXPECT_EQ(head.form, TargetForm::origin);
    EXPECT_EQ(head.path, "/shop/list");
    EXPECT_EQ(head.query, "?page=2&sort=price");
    EXPECT_EQ(head.authority, "shop.example:8080");
    EXPECT_EQ(head.host, "shop.example");
    EXPECT_EQ(head.port, 8080);
    EXPECT_EQ(head.minor_version, 1);
    EXPECT_EQ(head.fields.size(), 9u);
    EXPECT_EQ(head.fields[6].name, "Connection");
    EXPECT_EQ(head.find("cookie")->value, "session=0123456789abcdef; theme=dark");
    EXPECT_EQ(head.find("absent"), nullptr);
    EXPECT_EQ(head.framing.kind, Framing::Kind::none);
    EXPECT_TRUE(head.keep_alive);
    EXPECT_FALSE(head.expects_continue);
    EXPECT_EQ(head.upgrade, "");
}

TEST(RequestHead, AsksForMoreAtEveryCut)
{
    for (std::size_t cut = 0; cut < browser.size(); ++cut)
        EXPECT_EQ(verdict(browser.substr(0, cut)), -1) << "cut at " << cut;
}

TEST(RequestHead, IsTheSameByteByByte)
{
    RequestHead head;
    HeadProgress progress;
    for (std::size_t size = 0; size < browser.size(); ++size) {
        const std::string moved{browser.substr(0, size)};
        ASSERT_EQ(verdict_of(parse_request_head(moved, {}, head, &progress)), -1);
    }
    ASSERT_EQ(verdict_of(parse_request_head(browser, {}, head, &progress)), 0);
    EXPECT_EQ(head.fields.size(), 9u);
    EXPECT_EQ(head.fields[0].value, "shop.example:8080");
    EXPECT_EQ(head.path.data(), browser.data() + 4);
}

TEST(RequestHead, LeavesWhatFollowsAlone)
{
    const std::string two = std::string{browser} + "POST";
    RequestHead head;
    const auto answer = parse_request_head(two, {}, head);
    EXPECT_EQ(std::get<Complete>(answer).size_bytes, browser.size());
}

TEST(RequestHead, MayHaveOneEmptyLineBeforeIt)
{
    const std::string one = "\r\n" + std::string{browser};
    RequestHead head;
    const auto answer = parse_request_head(one, {}, head);
    EXPECT_EQ(std::get<Complete>(answer).size_bytes, one.size());
    EXPECT_EQ(head.method, "GET");
    EXPECT_EQ(verdict("\r\n\r\n" + std::string{browser}), 400);
    EXPECT_EQ(verdict("\n" + std::string{browser}), 400);
    EXPECT_EQ(verdict("\r" + std::string{browser}), 400);
}

struct Row {
    std::string text;
    int status;
    friend void PrintTo(const Row& row, std::ostream* out) { *out << ::testing::PrintToString(row.text); }
};

/// Every row is asked whole and in every kind of steps.
void holds(const std::vector<Row>& rows)
{
    for (const auto& row : rows) {
        EXPECT_EQ(verdict(row.text), row.status) << ::testing::PrintToString(row.text);
        for (const std::size_t step : {1, 2, 3, 7})
            EXPECT_EQ(verdict_in_steps(row.text, step), row.status) << ::testing::PrintToString(row.text);
    }
}

TEST(RequestLine, IsOneOfTheseForms)
{
    holds({
        {to("GET / HTTP/1.1"), 0},
        {to("GET /?a=b&c HTTP/1.1"), 0},
        {to("GET /a?b?c/d HTTP/1.1"), 0},
        {to("GET //a HTTP/1.1"), 0},
        {to("GET /'\"<>\\^`{|}~!$&()*+,;=:@%41 HTTP/1.1"), 0},
        {to("PATCHWORK / HTTP/1.1"), 0},
        {to("M-SEARCH * HTTP/1.1"), 400},
        {to("get / HTTP/1.1"), 0},
        {to("OPTIONS * HTTP/1.1"), 0},
        {to("OPTIONS *a HTTP/1.1"), 400},
        {to("GET * HTTP/1.1"), 400},
        {to("GET http://a HTTP/1.1"), 0},
        {to("GET http://a/b?c HTTP/1.1"), 0},
        {to("GET HTTP://A?c HTTP/1.1"), 0},
        {to("GET https://a/ HTTP/1.1"), 0},
        {to("GET ftp://a/ HTTP/1.1"), 400},
        {to("GET ws://a/ HTTP/1.1"), 400},
        {to("GET http:///b HTTP/1.1"), 400},
        {to("GET http:/a HTTP/1.1"), 400},
        {to("GET a HTTP/1.1"), 400},
        {to("GET ?a HTTP/1.1"), 400},
        {to("GET a:80 HTTP/1.1"), 400},
        {to("CONNECT a:443 HTTP/1.1"), 0},
        {to("CONNECT a HTTP/1.1"), 400},
        {to("CONNECT a: HTTP/1.1"), 400},
        {to("CONNECT /a HTTP/1.1"), 400},
        {to("CONNECT http://a:80/ HTTP/1.1"), 400},
        {to("CONNECT a:443/ HTTP/1.1"), 400},
        {to("GET /a#b HTTP/1.1"), 400},
        {to("GET /\x80 HTTP/1.1"), 400},
        {to("GET /\x7f HTTP/1.1"), 400},
        {to("GET /\t HTTP/1.1"), 400},
        {to("GET\t/ HTTP/1.1"), 400},
        {to("GET  / HTTP/1.1"), 400},
        {to("GET /  HTTP/1.1"), 400},
        {to("GET / HTTP/1.1 "), 400},
        {to(" GET / HTTP/1.1"), 400},
        {to("GET / a HTTP/1.1"), 400},
        {to("G(T / HTTP/1.1"), 400},
        {to("G\xc3\xa4T / HTTP/1.1"), 400},
        {to("GET /"), 400},
        {to("GET"), 400},
        {to("GET "), 400},
        {to("GET  HTTP/1.1"), 400},
        {to(""), 400},
        {to("GET / HTTP/1.0"), 0},
        {to("GET / HTTP/1.2"), 0},
        {to("GET / HTTP/1.9"), 0},
        {to("GET / HTTP/2.0"), 505},
        {to("PRI * HTTP/2.0"), 505},
        {to("GET / HTTP/0.9"), 505},
        {to("GET / HTTP/3.0"), 505},
        {to("GET / HTTP/2"), 400},
        {to("GET / HTTP/1"), 400},
        {to("GET / HTTP/1.10"), 400},
        {to("GET / HTTP/01.1"), 400},
        {to("GET / HTTP/1,1"), 400},
        {to("GET / http/1.1"), 400},
        {to("GET / HTTPS/1.1"), 400},
        {to("GET / ICAP/1.0"), 400},
        {to("GET / 1.1"), 400},
        {"GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", 400},
        {"GET / HTTP/1.1\rHost: a\r\n\r\n", 400},
        {"\x16\x03\x01\x02", 400},
        {std::string(65, 'A') + " / HTTP/1.1\r\n", 501},
        {to(std::string(64, 'A') + " / HTTP/1.1"), 0},
    });
}

TEST(RequestTarget, GivesThePathAndTheAuthorityOfItsForm)
{
    const auto absolute_text = to("GET https://Shop.example:8443?x HTTP/1.1", "shop.example:8443");
    const auto absolute = parsed(absolute_text);
    EXPECT_EQ(absolute.form, TargetForm::absolute);
    EXPECT_EQ(absolute.scheme, "https");
    EXPECT_EQ(absolute.host, "Shop.example");
    EXPECT_EQ(absolute.port, 8443);
    EXPECT_EQ(absolute.path, "/");
    EXPECT_EQ(absolute.query, "?x");

    const auto connect_text = to("CONNECT [::1]:443 HTTP/1.1", "[::1]:443");
    const auto connect = parsed(connect_text);
    EXPECT_EQ(connect.form, TargetForm::authority);
    EXPECT_EQ(connect.host, "::1");
    EXPECT_EQ(connect.port, 443);
    EXPECT_EQ(connect.path, "");

    const auto options_text = to("OPTIONS http://a HTTP/1.1");
    EXPECT_EQ(parsed(options_text).path, "*");
    const auto asterisk_text = to("OPTIONS * HTTP/1.1");
    EXPECT_EQ(parsed(asterisk_text).form, TargetForm::asterisk);
}

TEST(Host, IsThereOnceAndIsTheTargets)
{
    const auto one = [](std::string_view host) { return to("GET / HTTP/1.1", host); };
    holds({
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.0\r\n\r\n", 0},
        {"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400},
        {with("Host: a\r\n"), 400},
        {with("hOST: b\r\n"), 400},
        {one(""), 400},
        {one("a b"), 400},
        {one("a,b"), 400},
        {one("a, b"), 400},
        {one("u@a"), 400},
        {one("u:p@a"), 400},
        {one("a/"), 400},
        {one("a/b"), 400},
        {one("a?b"), 400},
        {one("a#b"), 400},
        {one("a\\b"), 400},
        {one("http://a"), 400},
        {one("a:"), 400},
        {one("a:0"), 400},
        {one("a:080"), 400},
        {one("a:65536"), 400},
        {one("a:80:80"), 400},
        {one("a:+80"), 400},
        {one("a:8o"), 400},
        {one(":80"), 400},
        {one("a..b"), 400},
        {one(".a"), 400},
        {one("."), 400},
        {one("a%2eb"), 400},
        {one("\xc3\xa4"), 400},
        {one("::1"), 400},
        {one("[::1"), 400},
        {one("[1.2.3.4]"), 400},
        {one("[::1]x"), 400},
        {one("[fe80::1%25eth0]"), 400},
        {one("[v1.x]"), 400},
        {one(std::string(256, 'a')), 400},
        {one(std::string(255, 'a')), 0},
        {one("a:80"), 0},
        {one("a.b."), 0},
        {one("a_b-c.example"), 0},
        {one("[::1]"), 0},
        {one("[2001:DB8::1]:65535"), 0},
        {one("192.0.2.1:8080"), 0},
        {to("GET http://a/ HTTP/1.1", "A"), 0},
        {to("GET http://a/ HTTP/1.1", "a:80"), 0},
        {to("GET https://a/ HTTP/1.1", "a:443"), 0},
        {to("GET http://a:80/ HTTP/1.1", "a"), 0},
        {to("GET http://a/ HTTP/1.1", "b"), 400},
        {to("GET http://a/ HTTP/1.1", "a:81"), 400},
        {to("GET http://a/ HTTP/1.1", "a:443"), 400},
        {to("GET http://a/ HTTP/1.1", ""), 400},
        {to("GET http://u@a/ HTTP/1.1", "a"), 400},
        {"GET http://a/ HTTP/1.1\r\n\r\n", 400},
        {"GET http://a/ HTTP/1.0\r\n\r\n", 0},
        {to("CONNECT a:443 HTTP/1.1", "a:443"), 0},
        {to("CONNECT a:443 HTTP/1.1", "a:80"), 400},
        {to("CONNECT a:443 HTTP/1.1", "b:443"), 400},
    });
}

TEST(FieldLine, IsANameAColonAndAValue)
{
    holds({
        {with("X: a\r\n"), 0},
        {with("X:a\r\n"), 0},
        {with("X:\r\n"), 0},
        {with("X: \t \r\n"), 0},
        {with("X_y!#$%&'*+-.^`|~9: a\r\n"), 0},
        {with("X: \x80\xff\r\n"), 0},
        {with("X: a\tb\r\n"), 0},
        {with("X : a\r\n"), 400},
        {with("X\t: a\r\n"), 400},
        {with(" X: a\r\n"), 400},
        {with("X: a\r\n b\r\n"), 400},
        {with("X: a\r\n\tb\r\n"), 400},
        {with("X: a\r\n \r\n"), 400},
        {with(": a\r\n"), 400},
        {with("X\r\n"), 400},
        {with("X a\r\n"), 400},
        {with("X;: a\r\n"), 400},
        {with("X\x80: a\r\n"), 400},
        {with("X: a\nY: b\r\n"), 400},
        {with("X: a\rY: b\r\n"), 400},
        {with("X: a\r\rY: b\r\n"), 400},
        {with("X: a\x0b\r\n"), 400},
        {with(std::string_view{"X: \0\r\n", 6}), 400},
        {with("X: \x7f\r\n"), 400},
    });
}

TEST(FieldLine, LosesTheBlanksAroundItsValue)
{
    const auto text = with("X: \t a  b\t \r\nY:\r\n");
    const auto head = parsed(text);
    EXPECT_EQ(head.find("x")->value, "a  b");
    EXPECT_EQ(head.find("y")->value, "");
}

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

TEST(RequestHead, ForgetsTheRequestBefore)
{
    RequestHead head;
    const auto first = "POST http://b:81/x?y HTTP/1.0\r\nHost: b:81\r\nContent-Length: 7\r\nConnection: x\r\n\r\n";
    const auto second = to("GET / HTTP/1.1");
    ASSERT_EQ(verdict_of(parse_request_head(first, {}, head)), 0);
    const auto* memory = head.fields.data();
    ASSERT_EQ(verdict_of(parse_request_head(second, {}, head)), 0);
    EXPECT_EQ(head.fields.data(), memory);
    EXPECT_EQ(head.framing.kind, Framing::Kind::none);
    EXPECT_EQ(head.framing.length_bytes, 0u);
    EXPECT_EQ(head.query, "");
    EXPECT_EQ(head.scheme, "");
    EXPECT_FALSE(head.port);
    EXPECT_TRUE(head.connection_options.empty());
    EXPECT_TRUE(head.keep_alive);
}

} // namespace
} // namespace gw::http
