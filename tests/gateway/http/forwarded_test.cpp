#include "gateway/http/forwarded.h"

#include <gtest/gtest.h>

namespace gw::http {
namespace {

Endpoint endpoint(std::string_view text) { return Endpoint::parse(text).value(); }

std::string forwarding(const Asked& asked, std::span<const Field> believed = {})
{
    std::string out;
    append_forwarding(out, asked, believed);
    return out;
}

TEST(Forwarding, SaysWhoAskedOverIpv4)
{
    EXPECT_EQ(forwarding({endpoint("192.0.2.7:40000"), "http", "shop.example", 80}),
              "X-Forwarded-For: 192.0.2.7\r\n"
              "X-Forwarded-Proto: http\r\n"
              "X-Forwarded-Host: shop.example\r\n"
              "X-Forwarded-Port: 80\r\n"
              "Forwarded: for=192.0.2.7;host=shop.example;proto=http\r\n");
}

TEST(Forwarding, QuotesIpv6AndPorts)
{
    EXPECT_EQ(forwarding({endpoint("[2001:db8::7]:40000"), "https", "[2001:db8::1]:8443", 8443}),
              "X-Forwarded-For: 2001:db8::7\r\n"
              "X-Forwarded-Proto: https\r\n"
              "X-Forwarded-Host: [2001:db8::1]:8443\r\n"
              "X-Forwarded-Port: 8443\r\n"
              "Forwarded: for=\"[2001:db8::7]\";host=\"[2001:db8::1]:8443\";proto=https\r\n");
}

TEST(Forwarding, LeavesOutWhatIsNotKnown)
{
    EXPECT_EQ(forwarding({endpoint("192.0.2.7:1"), "", "", 0}),
              "X-Forwarded-For: 192.0.2.7\r\nForwarded: for=192.0.2.7\r\n");
}

TEST(Forwarding, GoesOnWithTheListsOfATrustedProxy)
{
    const std::vector<Field> believed{{"x-forwarded-for", "198.51.100.1"},
                                      {"X-Forwarded-For", "10.0.0.1"},
                                      {"X-Forwarded-Proto", "https"},
                                      {"Forwarded", "for=198.51.100.1"},
                                      {"Accept", "x"}};
    EXPECT_EQ(forwarding({endpoint("192.0.2.7:1"), "http", "a", 80}, believed),
              "X-Forwarded-For: 198.51.100.1, 10.0.0.1, 192.0.2.7\r\n"
              "X-Forwarded-Proto: https\r\n"
              "X-Forwarded-Host: a\r\n"
              "X-Forwarded-Port: 80\r\n"
              "Forwarded: for=198.51.100.1, for=192.0.2.7;host=a;proto=http\r\n");
}

TEST(Forwarding, LetsNoHostEndALineOrAQuotedString)
{
    const auto text = forwarding({endpoint("192.0.2.7:1"), "http", "a\r\nX: \"y\\", 80});
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5);
    EXPECT_NE(text.find("host=\"aX: y\""), std::string::npos) << text;
}

TEST(ForwardingFields, AreTheseInAnyCase)
{
    for (const auto name : {"X-Forwarded-For", "x-forwarded-proto", "X-FORWARDED-HOST", "X-Forwarded-Anything",
                            "X-Forwarded", "Forwarded", "forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP"})
        EXPECT_TRUE(is_forwarding_field(name)) << name;
    for (const auto name : {"", "X-Forwardedx", "X-Forward-For", "Forwarde", "Forwarded-For", "X-Real-IQ", "Accept",
                            "XX-Forwarded-For", "Via"})
        EXPECT_FALSE(is_forwarding_field(name)) << name;
}

} // namespace
} // namespace gw::http
