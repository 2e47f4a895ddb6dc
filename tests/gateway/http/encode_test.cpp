#include "gateway/http/encode.h"

#include <gtest/gtest.h>

namespace gw::http {
namespace {

using namespace std::string_view_literals;

std::string date_of(std::time_t at)
{
    std::array<char, date_bytes> room{};
    return std::string{encode_date(at, room)};
}

TEST(Encode, WritesAHeadThatReadsTheSame)
{
    std::string out;
    append_request_line(out, "GET", "/a/b", "?c");
    append_field(out, "Host", "shop.example");
    append_framing(out, {Framing::Kind::length, 12});
    append_end(out);
    EXPECT_EQ(out, "GET /a/b?c HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 12\r\n\r\n");
    RequestHead head;
    ASSERT_TRUE(std::holds_alternative<Complete>(parse_request_head(out, {}, head)));
    EXPECT_EQ(head.framing.length_bytes, 12u);
}

TEST(Encode, WritesLines)
{
    const auto written = [](auto append) {
        std::string out;
        append(out);
        return out;
    };
    EXPECT_EQ(written([](auto& out) { append_request_line(out, "OPTIONS", "*", {}, 0); }), "OPTIONS * HTTP/1.0\r\n");
    EXPECT_EQ(written([](auto& out) { append_request_line(out, "GET", "", "?a"); }), "GET /?a HTTP/1.1\r\n");
    EXPECT_EQ(written([](auto& out) { append_status_line(out, 404); }), "HTTP/1.1 404 Not Found\r\n");
    EXPECT_EQ(written([](auto& out) { append_status_line(out, 200, "Fine", 0); }), "HTTP/1.0 200 Fine\r\n");
    EXPECT_EQ(written([](auto& out) { append_field(out, "A", std::uint64_t{18446744073709551615U}); }),
              "A: 18446744073709551615\r\n");
    EXPECT_EQ(written([](auto& out) { append_field(out, "A", ""); }), "A: \r\n");
    EXPECT_EQ(written([](auto& out) { append_framing(out, {}); }), "");
    EXPECT_EQ(written([](auto& out) { append_framing(out, {Framing::Kind::until_close, 0}); }), "");
    EXPECT_EQ(written([](auto& out) {
                  append_framing(out, {Framing::Kind::chunked, 0});
              }),
              "Transfer-Encoding: chunked\r\n");
}

TEST(Encode, LetsNoTextEndALine)
{
    for (int c = 0; c < 256; ++c) {
        const std::string text = "12345678" + std::string(1, static_cast<char>(c)) + "\r\nX: y";
        std::string out;
        append_request_line(out, text, "/" + text, "?" + text);
        append_status_line(out, 200, text);
        append_field(out, "A", text);
        EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 3) << c;
        EXPECT_EQ(std::count(out.begin(), out.end(), '\r'), 3) << c;
        EXPECT_EQ(out.find('\0'), std::string::npos) << c;
        EXPECT_EQ(out.find(' '), text.size()) << c;
    }
    std::string out;
    append_text(out, "a\tb\xc3\xa4\x7f\0c"sv);
    EXPECT_EQ(out, "a\tb\xc3\xa4  c");
}

TEST(ReasonPhrase, IsTheRegisteredOne)
{
    EXPECT_EQ(reason_phrase(100), "Continue");
    EXPECT_EQ(reason_phrase(200), "OK");
    EXPECT_EQ(reason_phrase(431), "Request Header Fields Too Large");
    EXPECT_EQ(reason_phrase(511), "Network Authentication Required");
    EXPECT_EQ(reason_phrase(299), "Unknown");
    EXPECT_EQ(reason_phrase(999), "Unknown");
    EXPECT_EQ(reason_phrase(99), "Unknown");
}

TEST(Date, IsInTheFixedForm)
{
    EXPECT_EQ(date_of(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(date_of(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    EXPECT_EQ(date_of(951827696), "Tue, 29 Feb 2000 12:34:56 GMT");
    EXPECT_EQ(date_of(4102444799), "Thu, 31 Dec 2099 23:59:59 GMT");
}

TEST(Date, OfNowIsOneOfTheSecondsAround)
{
    const auto before = std::time(nullptr) - 1;
    const auto now = std::string{current_date()};
    const auto after = std::time(nullptr);
    bool found = false;
    for (auto at = before; at <= after; ++at) found = found || now == date_of(at);
    EXPECT_TRUE(found) << now;
    EXPECT_EQ(current_date().data(), current_date().data());
}

TEST(OwnResponse, IsAWholeMessage)
{
    const std::vector<Field> fields{{"Location", "/new"}};
    OwnResponse answer;
    answer.status = 301;
    answer.body = "moved\n";
    answer.fields = fields;
    answer.keep_alive = true;
    std::string out;
    append_response(out, answer);
    ResponseHead head;
    const auto parsed = parse_response_head(out, "GET", {}, head);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(head.status, 301);
    EXPECT_EQ(head.reason, "Moved Permanently");
    EXPECT_EQ(head.find("location")->value, "/new");
    EXPECT_EQ(head.find("content-type")->value, "text/plain; charset=utf-8");
    EXPECT_EQ(head.find("date")->value.size(), date_bytes);
    EXPECT_EQ(head.framing.length_bytes, 6u);
    EXPECT_TRUE(head.keep_alive);
    EXPECT_EQ(out.substr(std::get<Complete>(*parsed).size_bytes), "moved\n");
}

TEST(OwnResponse, LeavesOutWhatIsNotToBe)
{
    const auto made = [](OwnResponse answer) {
        std::string out;
        append_response(out, answer);
        return out;
    };
    const auto ends_with_head = [](const std::string& text) { return text.find("\r\n\r\n") + 4 == text.size(); };
    OwnResponse to_head;
    to_head.status = 404;
    to_head.body = "none";
    to_head.to_head = true;
    EXPECT_NE(made(to_head).find("Content-Length: 4\r\n"), std::string::npos);
    EXPECT_TRUE(ends_with_head(made(to_head)));
    for (const int status : {100, 204, 304}) {
        OwnResponse bodyless;
        bodyless.status = status;
        bodyless.body = "never";
        EXPECT_EQ(made(bodyless).find("Content-"), std::string::npos) << status;
        EXPECT_TRUE(ends_with_head(made(bodyless))) << status;
    }
    OwnResponse old;
    old.minor_version = 0;
    EXPECT_NE(made(old).find("Connection: close\r\n"), std::string::npos);
    old.keep_alive = true;
    EXPECT_NE(made(old).find("Connection: keep-alive\r\n"), std::string::npos);
    EXPECT_EQ(made(old).substr(0, 9), "HTTP/1.0 ");
}

} // namespace
} // namespace gw::http
