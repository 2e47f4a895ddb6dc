#include "netfilter/watch.h"

#include "tests/netfilter/namespaces.h"

#include <chrono>
#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <optional>
#include <poll.h>

using namespace gw;
using namespace gw::netfilter;
using namespace gw::netfilter::testing;

namespace {

class WatchTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        if (!is_root() || !host_.made()) GTEST_SKIP() << "needs root for a network namespace";
        host_.shell("ip link add lan0 type veth peer name lan1");
        host_.inside([&] {
            auto opened = Watch::open({});
            if (opened) watch_.emplace(std::move(*opened));
        });
        ASSERT_TRUE(watch_);
        static_cast<void>(watch_->read());
    }
    /// What is seen after this, waiting for it.
    Changes after(const std::string& command)
    {
        host_.shell(command);
        pollfd readable{watch_->descriptor(), POLLIN, 0};
        if (::poll(&readable, 1, 2'000) != 1) return {};
        auto seen = watch_->read();
        EXPECT_TRUE(seen);
        return seen ? *seen : Changes{};
    }

    Namespace host_;
    std::optional<Watch> watch_;
};

/// A message as the kernel would send it.
struct Message {
    explicit Message(int type)
    {
        header = mnl_nlmsg_put_header(bytes.data());
        header->nlmsg_type = static_cast<std::uint16_t>(type);
    }
    Message& table(std::uint8_t family, const char* name)
    {
        static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)))->nfgen_family = family;
        mnl_attr_put_strz(header, NFTA_TABLE_NAME, name);
        return *this;
    }
    Message& route(std::uint32_t table)
    {
        mnl_nlmsg_put_extra_header(header, sizeof(rtmsg));
        mnl_attr_put_u32(header, RTA_TABLE, table);
        return *this;
    }
    alignas(nlmsghdr) std::array<char, 512> bytes{};
    nlmsghdr* header = nullptr;
};

constexpr int nft(int type) { return NFNL_SUBSYS_NFTABLES << 8 | type; }

} // namespace

TEST(Changes, AreOfOurTableAndTheGuardOnly)
{
    EXPECT_TRUE(change_of_table({}, Message(nft(NFT_MSG_DELTABLE)).table(NFPROTO_INET, "gateway").header).tables);
    EXPECT_TRUE(change_of_table({}, Message(nft(NFT_MSG_DELRULE)).table(NFPROTO_INET, "gateway_guard").header).tables);
    EXPECT_FALSE(change_of_table({}, Message(nft(NFT_MSG_DELTABLE)).table(NFPROTO_INET, "other").header).any());
    EXPECT_FALSE(change_of_table({}, Message(nft(NFT_MSG_DELTABLE)).table(NFPROTO_IPV4, "gateway").header).any());
    EXPECT_FALSE(change_of_table({}, Message(nft(NFT_MSG_NEWGEN)).table(NFPROTO_INET, "gateway").header).any());
    EXPECT_FALSE(change_of_table({}, Message(nft(NFT_MSG_DELTABLE)).header).any()) << "cut off";
    EXPECT_FALSE(change_of_table({}, Message(RTM_DELRULE).table(NFPROTO_INET, "gateway").header).any());
}

TEST(Changes, AreOfRulesLinksAddressesAndRoutesOfOurTable)
{
    EXPECT_TRUE(change_of_route({}, Message(RTM_DELRULE).header).policy_rules);
    EXPECT_TRUE(change_of_route({}, Message(RTM_NEWLINK).header).interfaces);
    EXPECT_TRUE(change_of_route({}, Message(RTM_DELADDR).header).addresses);
    EXPECT_TRUE(change_of_route({}, Message(RTM_DELROUTE).route(7'373).header).routes);
    EXPECT_FALSE(change_of_route({}, Message(RTM_DELROUTE).route(1'000).header).any());
    EXPECT_FALSE(change_of_route({}, Message(RTM_DELROUTE).header).any()) << "cut off";
    EXPECT_FALSE(change_of_route({}, Message(NLMSG_DONE).header).any());
}

TEST_F(WatchTest, TellsWhatOthersDo)
{
    EXPECT_TRUE(after("ip rule add fwmark 1 lookup 7373 priority 4").policy_rules);
    EXPECT_TRUE(after("ip -6 rule add fwmark 1 lookup 7373 priority 4").policy_rules);
    EXPECT_TRUE(after("ip route add local default dev lo table 7373").routes);
    EXPECT_TRUE(after("ip -6 route add local default dev lo table 7373").routes);
    EXPECT_TRUE(after("ip link set lan0 name lan9").interfaces);
    EXPECT_TRUE(after("ip addr add 10.9.0.1/24 dev lan9").addresses);
    EXPECT_TRUE(after("nft add table inet gateway_guard").tables);
    EXPECT_TRUE(after("nft flush ruleset").tables);
    EXPECT_TRUE(after("ip link del lan9").interfaces);
}

TEST_F(WatchTest, IsNotWokenByRoutesOfOtherTables)
{
    host_.shell("ip link set lo up");
    static_cast<void>(watch_->read());
    host_.shell("for i in $(seq 200); do echo route add 10.9.$i.0/24 dev lo table 99; done | ip -batch -");
    pollfd readable{watch_->descriptor(), POLLIN, 0};
    EXPECT_EQ(::poll(&readable, 1, 50), 0);
}

TEST_F(WatchTest, SaysThatAllMayHaveChangedWhenItWasToldTooMuch)
{
    host_.shell("for i in $(seq 4000); do echo addr add 10.$((i / 250)).$((i % 250)).1/32 dev lan0; done > /tmp/gw$$;"
                "for i in 1 2 3; do ip -batch /tmp/gw$$; sed s/add/del/ /tmp/gw$$ | ip -batch -; done; rm /tmp/gw$$");
    Changes seen;
    for (int turn = 0; turn < 2'000; ++turn) {
        const auto more = watch_->read();
        ASSERT_TRUE(more);
        if (!more->any()) break;
        seen.tables |= more->tables;
    }
    EXPECT_TRUE(seen.tables);
}
