#include "tests/gateway/http/request_verdicts.h"

namespace gw::http {
namespace {

using namespace testing;

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

} // namespace
} // namespace gw::http
