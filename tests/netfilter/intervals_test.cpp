#include "netfilter/intervals.h"

#include "tests/netfilter/plans.h"

#include <gtest/gtest.h>

using namespace gw;
using namespace gw::netfilter;
using namespace gw::netfilter::testing;
using Texts = std::vector<std::string>;

TEST(Intervals, AreSortedAndOfOneFamily)
{
    const auto mixed = networks({"198.51.100.0/24", "2001:db8::/32", "10.0.0.1"});
    EXPECT_EQ(interval_texts(mixed, false), (Texts{"10.0.0.1", "198.51.100.0/24"}));
    EXPECT_EQ(interval_texts(mixed, true), (Texts{"2001:db8::/32"}));
}

TEST(Intervals, SwallowWhatTheyContainAndJoinWhatTheyTouch)
{
    EXPECT_EQ(interval_texts(networks({"10.0.0.0/8", "10.1.0.0/16", "10.255.255.255"}), false), (Texts{"10.0.0.0/8"}));
    EXPECT_EQ(interval_texts(networks({"192.0.2.0/25", "192.0.2.128/25"}), false), (Texts{"192.0.2.0/24"}));
    EXPECT_EQ(interval_texts(networks({"10.0.1.0/24", "10.0.2.0/24"}), false), (Texts{"10.0.1.0-10.0.2.255"}));
    EXPECT_EQ(interval_texts(networks({"10.0.0.0/24", "10.0.2.0/24"}), false), (Texts{"10.0.0.0/24", "10.0.2.0/24"}));
    EXPECT_EQ(interval_texts(networks({"2001:db8::/33", "2001:db8:8000::/33"}), true), (Texts{"2001:db8::/32"}));
}

TEST(Intervals, ReachFromTheFirstAddressToTheLast)
{
    EXPECT_EQ(interval_texts(networks({"0.0.0.0/0", "255.255.255.255"}), false), (Texts{"0.0.0.0/0"}));
    EXPECT_EQ(interval_texts(networks({"128.0.0.0/1", "0.0.0.0/1"}), false), (Texts{"0.0.0.0/0"}));
    EXPECT_EQ(interval_texts(networks({"::/0", "ffff::"}), true), (Texts{"::/0"}));
    EXPECT_EQ(interval_texts(std::vector<Network>{}, true), Texts{});
}

TEST(Intervals, OfPortsJoinToo)
{
    EXPECT_EQ(interval_texts({{443, 443}, {80, 80}, {8000, 8080}, {8050, 9000}, {81, 81}}),
              (Texts{"80-81", "443", "8000-9000"}));
    EXPECT_EQ(interval_texts({{1, 65535}, {65535, 65535}}), (Texts{"1-65535"}));
}
