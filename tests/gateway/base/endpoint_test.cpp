#include "gateway/base/endpoint.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

namespace gw {
namespace {

TEST(Address, ReadsBothFamiliesAndNothingElse)
{
    EXPECT_EQ(Address::parse("192.0.2.1")->text(), "192.0.2.1");
    EXPECT_EQ(Address::parse("2001:DB8::1")->text(), "2001:db8::1");
    for (const auto* wrong :
         {"", "192.0.2", "192.0.2.256", "192.0.2.1 ", "0300.0.2.1", "2001:db8::g", "fe80::1%eth0", "localhost"})
        EXPECT_FALSE(Address::parse(wrong)) << wrong;
    EXPECT_FALSE(Address::parse(std::string_view{"192.0.2.1\0", 10}));
}

TEST(Address, UnmapsOnlyWhatIsMapped)
{
    EXPECT_EQ(Address::parse("::ffff:192.0.2.1")->unmapped().text(), "192.0.2.1");
    EXPECT_EQ(Address::parse("::1")->unmapped().text(), "::1");
    EXPECT_NE(*Address::parse("::ffff:192.0.2.1"), *Address::parse("192.0.2.1"));
}

TEST(Endpoint, WantsBracketsAroundIpv6)
{
    EXPECT_EQ(Endpoint::parse("[2001:db8::1]:443")->text(), "[2001:db8::1]:443");
    EXPECT_EQ(Endpoint::parse("192.0.2.1:80")->port, 80);
    for (const auto* wrong :
         {"192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:+80", "2001:db8::1:443", "[192.0.2.1]:80", ":80"})
        EXPECT_FALSE(Endpoint::parse(wrong)) << wrong;
}

TEST(Endpoint, ComesBackFromTheKernelsFormUnmapped)
{
    for (const auto* text : {"192.0.2.1:80", "[2001:db8::1]:443"}) {
        sockaddr_storage name{};
        to_sockaddr(*Endpoint::parse(text), name);
        EXPECT_EQ(from_sockaddr(name).text(), text);
    }
    sockaddr_storage name{};
    to_sockaddr(*Endpoint::parse("[::ffff:192.0.2.1]:80"), name);
    EXPECT_EQ(from_sockaddr(name).text(), "192.0.2.1:80");
}

TEST(Network, ContainsWhatItsPrefixSays)
{
    const auto network = *Network::parse("192.0.2.128/25");
    EXPECT_TRUE(network.contains(*Address::parse("192.0.2.128")));
    EXPECT_TRUE(network.contains(*Address::parse("192.0.2.255")));
    EXPECT_FALSE(network.contains(*Address::parse("192.0.2.127")));
    EXPECT_FALSE(network.contains(*Address::parse("::ffff:192.0.2.200")));
    EXPECT_TRUE(Network::parse("0.0.0.0/0")->contains(*Address::parse("8.8.8.8")));
    EXPECT_FALSE(Network::parse("0.0.0.0/0")->contains(*Address::parse("::1")));
}

TEST(Network, RefusesBitsBehindThePrefix)
{
    for (const auto* wrong : {"192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/x", "2001:db8::1/64"})
        EXPECT_FALSE(Network::parse(wrong)) << wrong;
    EXPECT_EQ(Network::parse("192.0.2.1")->prefix, 32);
}

} // namespace
} // namespace gw
