#include "netfilter/tcp_sockets.h"

#include "gateway/base/descriptor.h"
#include "gateway/base/networks.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

using namespace gw;
using namespace gw::netfilter;

namespace {

ListeningSocket at(std::string_view endpoint, bool both_families = false, std::uint32_t interface = 0)
{
    return {Endpoint::parse(endpoint).value(), 0, interface, both_families};
}

bool overlap_both_ways(const ListeningSocket& one, const ListeningSocket& other)
{
    EXPECT_EQ(overlap(one, other), overlap(other, one)) << one.at.text() << ' ' << other.at.text();
    return overlap(one, other);
}

TEST(ListeningSockets, OverlapWhereAConnectionFitsBoth)
{
    EXPECT_TRUE(overlap_both_ways(at("192.0.2.1:80"), at("192.0.2.1:80")));
    EXPECT_TRUE(overlap_both_ways(at("0.0.0.0:80"), at("192.0.2.1:80")));
    EXPECT_TRUE(overlap_both_ways(at("0.0.0.0:80"), at("0.0.0.0:80")));
    EXPECT_TRUE(overlap_both_ways(at("[::]:80"), at("[2001:db8::1]:80")));
    EXPECT_TRUE(overlap_both_ways(at("[::]:80", true), at("192.0.2.1:80")));
    EXPECT_TRUE(overlap_both_ways(at("[::]:80", true), at("0.0.0.0:80")));

    EXPECT_FALSE(overlap_both_ways(at("192.0.2.1:80"), at("192.0.2.1:81")));
    EXPECT_FALSE(overlap_both_ways(at("192.0.2.1:80"), at("192.0.2.2:80")));
    EXPECT_FALSE(overlap_both_ways(at("[::]:80"), at("192.0.2.1:80")));
    EXPECT_FALSE(overlap_both_ways(at("[::]:80"), at("0.0.0.0:80")));
    EXPECT_FALSE(overlap_both_ways(at("0.0.0.0:80"), at("[2001:db8::1]:80")));
    EXPECT_FALSE(overlap_both_ways(at("[2001:db8::2]:80", true), at("[2001:db8::1]:80")));
}

TEST(ListeningSockets, OfTwoInterfacesDoNotOverlap)
{
    EXPECT_FALSE(overlap_both_ways(at("0.0.0.0:80", false, 2), at("0.0.0.0:80", false, 3)));
    EXPECT_TRUE(overlap_both_ways(at("0.0.0.0:80", false, 2), at("192.0.2.1:80", false, 2)));
    EXPECT_TRUE(overlap_both_ways(at("0.0.0.0:80", false, 2), at("0.0.0.0:80")));
}

/// Listens at a port that the kernel chooses.
Descriptor listening(int family, int option_level = -1, int option = 0, int value = 0)
{
    Descriptor socket{::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (option_level >= 0) ::setsockopt(socket.number(), option_level, option, &value, sizeof value);
    if (::listen(socket.number(), 1) != 0) return {};
    return socket;
}

/// As the kernel lists it.
std::optional<ListeningSocket> listed(const Descriptor& socket)
{
    struct stat status {};
    EXPECT_EQ(::fstat(socket.number(), &status), 0);
    const auto all = listening_sockets();
    if (!all) return std::nullopt;
    const auto found =
        std::find_if(all->begin(), all->end(), [&](const ListeningSocket& one) { return one.inode == status.st_ino; });
    return found == all->end() ? std::nullopt : std::optional(*found);
}

TEST(ListeningSockets, AreListedWithWhatTheyServe)
{
    const auto v4 = listening(AF_INET);
    ASSERT_TRUE(v4.is_open());
    auto found = listed(v4);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->at.address, Address{});
    EXPECT_NE(found->at.port, 0);
    EXPECT_FALSE(found->both_families);
    EXPECT_EQ(found->interface, 0U);

    const auto both = listening(AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    const auto only_v6 = listening(AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (!both.is_open()) GTEST_SKIP() << "needs IPv6";
    found = listed(both);
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->at.address.is_v6());
    EXPECT_TRUE(found->both_families);
    found = listed(only_v6);
    ASSERT_TRUE(found);
    EXPECT_FALSE(found->both_families);
}

TEST(ListeningSockets, AreNotThoseThatDoNotListen)
{
    const Descriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    EXPECT_FALSE(listed(socket));
}

} // namespace
