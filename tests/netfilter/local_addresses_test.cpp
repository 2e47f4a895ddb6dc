#include "netfilter/local_addresses.h"

#include "tests/netfilter/namespaces.h"

#include <gtest/gtest.h>
#include <poll.h>

using namespace gw;
using namespace gw::netfilter;
using namespace gw::netfilter::testing;

namespace {

Address address(std::string_view text) { return Address::parse(text).value(); }

class LocalAddressesTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        if (!is_root() || !host_.made()) GTEST_SKIP() << "needs root for a network namespace";
        host_.cable("lan0", other_, "far0");
        other_.shell("ip link set far0 up");
        host_.shell("ip link set lan0 up; ip addr add 192.0.2.1/24 dev lan0;"
                    "ip addr add 2001:db8::1/64 dev lan0 nodad; ip addr add fe80::77/64 dev lan0 nodad;"
                    "ip route add local default dev lo table 7373; ip -6 route add local default dev lo table 7373");
        host_.inside([this] { opened_ = std::make_unique<Opened>(LocalAddresses::open()); });
        ASSERT_TRUE(*opened_) << describe(opened_->error());
    }

    LocalAddresses& own() { return ***opened_; }
    bool refresh()
    {
        bool done = false;
        host_.inside([&] { done = own().refresh().has_value(); });
        return done;
    }
    bool changed()
    {
        pollfd waiting{own().changes(), POLLIN, 0};
        return ::poll(&waiting, 1, 0) == 1;
    }

    using Opened = Result<std::unique_ptr<LocalAddresses>>;
    Namespace other_;
    Namespace host_;
    std::unique_ptr<Opened> opened_;
};

} // namespace

TEST_F(LocalAddressesTest, ContainEverySpellingOfAnOwnAddress)
{
    for (const char* text : {
             "192.0.2.1",               // an address
             "192.0.2.255",             // the broadcast address of its network
             "255.255.255.255",         // broadcast
             "0.0.0.0",                 // this host
             "0.0.0.1",                 // this network
             "0.255.255.255",           //
             "127.0.0.1",               // loopback
             "127.1.2.3",               //
             "127.255.255.254",         //
             "224.0.0.1",               // multicast
             "239.255.255.250",         //
             "::",                      // this host
             "::1",                     // loopback
             "2001:db8::1",             // an address
             "fe80::77",                // a link-local address of its own
             "ff02::1",                 // multicast
             "ff05::2",                 //
             "::ffff:192.0.2.1",        // v4-mapped
             "::ffff:c000:201",         //
             "::ffff:127.0.0.1",        //
             "::ffff:0.0.0.0",          //
             "::ffff:255.255.255.255",  //
             "::ffff:224.0.0.1",        //
             "::192.0.2.1",             // v4-compatible
             "::127.0.0.1",             //
             "::ffff:0:192.0.2.1",      // v4-translated
             "64:ff9b::192.0.2.1",      // NAT64
             "64:ff9b::7f00:1",         //
             "64:ff9b::0.0.0.0",        //
             "2002:c000:201::",         // 6to4
             "2002:c000:201::1",        //
             "2002:c000:201:5:6:7:8:9", //
             "2002:7f00:1::",           //
             "2002:0:1::",              //
         }) {
        EXPECT_TRUE(own().contains(address(text))) << text;
    }
}

TEST_F(LocalAddressesTest, LetOthersBeReached)
{
    for (const char* text :
         {"192.0.2.2", "192.0.2.254", "198.51.100.1", "1.0.0.1", "10.0.0.1", "128.0.0.1", "240.0.0.1",
          "169.254.169.254", "2001:db8::2", "2001:db8:1::1", "fe80::78", "::ffff:192.0.2.2", "64:ff9b::192.0.2.2",
          "64:ff9b:1::192.0.2.1", "2002:c000:202::1", "2001:c000:201::1", "::192.0.2.2", "fd00::1"})
        EXPECT_FALSE(own().contains(address(text))) << text;
}

TEST_F(LocalAddressesTest, KnowWholeNetworksMadeLocalAndSubnetAnycast)
{
    host_.shell("ip route add local 203.0.113.0/24 dev lo; ip -6 route add local 2001:db8:9::/64 dev lo;"
                "sysctl -qw net.ipv6.conf.all.forwarding=1");
    ASSERT_TRUE(refresh());
    for (const char* text : {"203.0.113.0", "203.0.113.200", "2001:db8:9::abc", "64:ff9b::203.0.113.5", "2001:db8::"})
        EXPECT_TRUE(own().contains(address(text))) << text;
    EXPECT_FALSE(own().contains(address("203.0.114.1")));
}

TEST_F(LocalAddressesTest, FollowChanges)
{
    ASSERT_FALSE(changed());
    host_.shell("ip addr add 198.51.100.9/32 dev lan0");
    ASSERT_TRUE(changed());
    ASSERT_TRUE(refresh());
    EXPECT_TRUE(own().contains(address("198.51.100.9")));
    EXPECT_FALSE(changed());

    host_.shell("ip addr del 198.51.100.9/32 dev lan0");
    ASSERT_TRUE(changed());
    ASSERT_TRUE(refresh());
    EXPECT_FALSE(own().contains(address("198.51.100.9")));
}

TEST_F(LocalAddressesTest, AreNotWokenByRoutesOfOtherTables)
{
    ASSERT_TRUE(refresh());
    host_.shell("ip route add 198.51.100.0/24 dev lan0; ip -6 route add 2001:db8:5::/48 dev lan0;"
                "ip route add local 10.9.0.0/16 dev lo table 99");
    EXPECT_FALSE(changed());
    host_.shell("ip route add local 10.9.0.0/16 dev lo table local");
    EXPECT_TRUE(changed());
}

TEST_F(LocalAddressesTest, NameInterfacesThatPacketsArriveOn)
{
    host_.cable("port0", other_, "far1");
    if (!host_.shell("ip link add br0 type bridge && ip link set port0 master br0").empty())
        GTEST_SKIP() << "the kernel has no bridges";
    std::vector<std::string> names;
    host_.inside([&] { names = present_interfaces().value(); });
    EXPECT_EQ(names, (std::vector<std::string>{"br0", "lan0"}));
}
