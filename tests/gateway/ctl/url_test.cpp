#include "gateway/ctl/url.h"

#include <gtest/gtest.h>

namespace gw::ctl {
namespace {

void means(std::string_view text, std::string_view canonical)
{
    const auto url = parse_url(text);
    ASSERT_TRUE(url) << text << ": " << url.error().what;
    EXPECT_EQ(url->text(), canonical) << text;
    const auto again = parse_url(url->text());
    ASSERT_TRUE(again) << text;
    EXPECT_EQ(again->text(), canonical) << text;
}

void is_wrong(std::string_view text, Fault fault = Fault::malformed)
{
    const auto url = parse_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().fault, fault) << text;
    EXPECT_FALSE(url.error().what.empty()) << text;
}

TEST(Url, IsReadAsPeopleWriteIt)
{
    means("http://shop.example/cart?x=1#top", "http://shop.example/cart?x=1");
    means("shop.example", "http://shop.example/");
    means("shop.example/a", "http://shop.example/a");
    means("HTTPS://Shop.Example.:8443", "https://shop.example:8443/");
    means("http://shop.example:80/", "http://shop.example/");
    means("http://shop.example:443/", "http://shop.example:443/");
    means("http://shop.example?q", "http://shop.example/?q");
    means("http://[2001:db8::1]:81/x", "http://[2001:db8::1]:81/x");
    means("wss://chat.example/live", "https://chat.example/live");
    means("ws://chat.example/live", "http://chat.example/live");
    means("tcp://192.0.2.7:25", "tcp://192.0.2.7:25");
}

TEST(Url, BringsThePathIntoTheFormRoutesAreDecidedOn)
{
    means("http://a.example/x/../%61dmin/./", "http://a.example/admin/");
}

TEST(Url, IsRefusedWhenItIsNone)
{
    is_wrong("");
    is_wrong("http://");
    is_wrong("ftp://a.example/");
    is_wrong("http://user@a.example/");
    is_wrong("http://a.example:0/");
    is_wrong("http://a.example:65536/");
    is_wrong("http://a.example/with space");
    is_wrong("http://a.example/\x1b");
    is_wrong("http://b\xc3\xbc"
             "cher.example/");
    is_wrong("tcp://192.0.2.7");
}

TEST(Url, WhosePathTheGatewayRefusesIsToldApart)
{
    is_wrong("http://a.example/../../etc/passwd", Fault::denied);
    is_wrong("http://a.example/%zz", Fault::denied);
    is_wrong("http://a.example/%00", Fault::denied);
}

} // namespace
} // namespace gw::ctl
