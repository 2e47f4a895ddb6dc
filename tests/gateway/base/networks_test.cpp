#include "gateway/base/networks.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>
#include <string>

namespace gw {
namespace {

std::vector<Network> networks(std::initializer_list<std::string_view> texts)
{
    std::vector<Network> list;
    for (const auto text : texts) list.push_back(Network::parse(text).value());
    return list;
}

Address address(std::string_view text) { return Address::parse(text).value(); }

std::string texts_of(const std::vector<AddressRange>& ranges)
{
    std::string all;
    for (const auto& range : ranges) all += range.first.text() + '-' + range.last.text() + ' ';
    return all;
}

TEST(MergedRanges, SwallowWhatTheyContainAndJoinWhatTheyTouch)
{
    const auto mixed = networks({"198.51.100.0/24", "2001:db8::/32", "10.1.0.0/16", "10.0.0.0/8", "198.51.101.0/24",
                                 "2001:db9::", "10.255.255.255"});
    EXPECT_EQ(texts_of(merged_ranges(mixed, false)), "10.0.0.0-10.255.255.255 198.51.100.0-198.51.101.255 ");
    EXPECT_EQ(texts_of(merged_ranges(mixed, true)), "2001:db8::-2001:db9:: ");
}

TEST(MergedRanges, ReachFromTheFirstAddressToTheLast)
{
    EXPECT_EQ(texts_of(merged_ranges(networks({"255.255.255.255", "0.0.0.0/0", "1.0.0.0/8"}), false)),
              "0.0.0.0-255.255.255.255 ");
    EXPECT_EQ(texts_of(merged_ranges(networks({"8000::/1", "::/1"}), true)),
              "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ");
    EXPECT_EQ(texts_of(merged_ranges({}, false)), "");
}

TEST(Networks, HoldFromTheirFirstAddressToTheirLast)
{
    const Networks list = networks({"192.0.2.0/25", "10.0.0.0/8", "10.1.2.0/24", "203.0.113.7", "2001:db8::/33"});
    for (const auto* inside : {"192.0.2.0", "192.0.2.127", "10.0.0.0", "10.1.2.3", "10.255.255.255", "203.0.113.7",
                               "2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"})
        EXPECT_TRUE(list.contains(address(inside))) << inside;
    for (const auto* outside : {"192.0.1.255", "192.0.2.128", "9.255.255.255", "11.0.0.0", "203.0.113.6", "203.0.113.8",
                                "0.0.0.0", "255.255.255.255", "2001:db7:ffff::", "2001:db8:8000::", "::",
                                "::ffff:10.0.0.1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"})
        EXPECT_FALSE(list.contains(address(outside))) << outside;
    EXPECT_EQ(list.size(), 5U) << "the list stays as it was written";
    EXPECT_EQ(list.at(2).text(), "10.1.2.0/24");
}

TEST(Networks, OfEverythingHoldOneFamily)
{
    const Networks v4 = networks({"0.0.0.0/0"}), v6 = networks({"::/0"});
    for (const auto* each : {"0.0.0.0", "127.0.0.1", "255.255.255.255"}) {
        EXPECT_TRUE(v4.contains(address(each))) << each;
        EXPECT_FALSE(v6.contains(address(each))) << each;
    }
    for (const auto* each : {"::", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
        EXPECT_TRUE(v6.contains(address(each))) << each;
        EXPECT_FALSE(v4.contains(address(each))) << each;
    }
    EXPECT_FALSE(Networks{}.contains(address("0.0.0.0")));
    EXPECT_FALSE(Networks{}.contains(address("::")));
}

/// Against the plain way, with one of five hundred, and what lies beside it.
TEST(Networks, AreFoundAmongAHundredThousand)
{
    std::mt19937 random{1};
    const auto byte = [&] { return static_cast<std::uint8_t>(random()); };
    std::vector<Network> all;
    for (int i = 0; i < 100'000; ++i) {
        const auto prefix = static_cast<std::uint8_t>(16 + random() % 17);
        std::array<std::uint8_t, 16> bytes{byte(), byte(), byte(), byte()};
        for (std::size_t bit = prefix; bit < 32; ++bit)
            bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] & ~(0x80U >> bit % 8));
        if (i % 4 == 0)
            all.push_back({Address::v6(bytes), prefix});
        else
            all.push_back({Address::v4({bytes[0], bytes[1], bytes[2], bytes[3]}), std::max<std::uint8_t>(prefix, 24)});
    }
    const Networks list = all;
    std::size_t held = 0, free = 0;
    for (std::size_t i = 0; i < all.size(); i += 500) {
        for (const int step : {-1, 0, 1}) {
            std::array<std::uint8_t, 16> bytes{};
            std::copy_n(all[i].address.data(), all[i].address.size(), bytes.begin());
            bytes[3] = static_cast<std::uint8_t>(bytes[3] + step);
            const auto one =
                all[i].address.is_v6() ? Address::v6(bytes) : Address::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
            const bool plain =
                std::any_of(all.begin(), all.end(), [&](const auto& each) { return each.contains(one); });
            EXPECT_EQ(list.contains(one), plain) << one.text();
            ++(plain ? held : free);
        }
    }
    EXPECT_GT(held, 200U);
    EXPECT_GT(free, 50U);
}

} // namespace
} // namespace gw
