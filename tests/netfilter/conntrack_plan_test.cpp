#include "netfilter/conntrack_rules.h"
#include "netfilter/nft_text.h"
#include "tests/netfilter/plans.h"

#include <gtest/gtest.h>

using namespace gw;
using namespace gw::netfilter;
using namespace gw::netfilter::testing;

namespace {

Capture by(Mode mode, std::string name = "web")
{
    auto made = capture(std::move(name), {"192.0.2.0/24", "2001:db8:1::/64"}, {{80, 80}});
    made.intercept.mode = mode;
    return made;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

TEST(RedirectPlan, CapturesInANatChainOfItsOwnAndRefusesDirectHits)
{
    auto web = by(Mode::redirect);
    web.intercept.keeps_address = false;
    const auto plan = make_plan({}, {web}, {"eth0"});

    EXPECT_EQ(nft_text(plan), R"(add table inet gateway { flags owner; }
add chain inet gateway divert
add chain inet gateway prerouting { type filter hook prerouting priority mangle + 5; policy accept; }
add chain inet gateway redirecting { type nat hook prerouting priority dstnat - 5; policy accept; }
add chain inet gateway direct_hits { type filter hook input priority filter - 5; policy accept; }
flush chain inet gateway prerouting
flush chain inet gateway divert
flush chain inet gateway redirecting
flush chain inet gateway direct_hits
add chain inet gateway captures_a
flush chain inet gateway captures_a
add chain inet gateway redirects_a
flush chain inet gateway redirects_a
add rule inet gateway prerouting meta mark & 0x03000000 == 0x02000000 return comment "own"
add rule inet gateway prerouting fib daddr type { local, broadcast, anycast, multicast } return comment "local"
add rule inet gateway prerouting ct status & dnat != 0 return comment "redirected before"
add rule inet gateway prerouting jump captures_a comment "captures"
add rule inet gateway redirecting meta mark & 0x03000000 != 0x00000000 return comment "marked"
add rule inet gateway redirecting fib daddr type { local, broadcast, anycast, multicast } return comment "local redirect"
add rule inet gateway redirecting jump redirects_a comment "redirects"
add rule inet gateway redirects_a iifname { "eth0" } tcp dport { 80 } ip daddr { 192.0.2.0/24 } counter redirect to :4000 comment "redirect 1 IPv4 web"
add rule inet gateway redirects_a iifname { "eth0" } tcp dport { 80 } ip6 daddr { 2001:db8:1::/64 } counter redirect to :4006 comment "redirect 1 IPv6 web"
add rule inet gateway direct_hits meta nfproto ipv4 tcp dport { 4000 } tcp flags & (syn | ack) == syn ct status & dnat == 0 counter reject with tcp reset comment "direct hits IPv4"
add rule inet gateway direct_hits meta nfproto ipv6 tcp dport { 4006 } tcp flags & (syn | ack) == syn ct status & dnat == 0 counter reject with tcp reset comment "direct hits IPv6"
)");
    EXPECT_EQ(ip_text(plan), "") << "with the gateway's address nothing has to be led back";
}

TEST(RedirectPlan, LeadsAnswersToTheClientsAddressBackAndKeepsTheTwoConnectionsApart)
{
    const auto plan = make_plan({}, {by(Mode::redirect)}, {"eth0"});

    EXPECT_TRUE(has(nft_text(plan), "socket transparent 1 jump divert"));
    EXPECT_TRUE(has(nft_text(plan), "add rule inet gateway zones_out meta l4proto tcp meta mark & 0x03000000 == "
                                    "0x02000000 fib saddr type != local ct original zone set 7373"));
    EXPECT_FALSE(has(nft_text(plan), "zones_in"));
    EXPECT_EQ(plan.policy_rules, (std::vector<PolicyRule>{{"eth0", false}, {"eth0", true}}));
}

TEST(RedirectPlan, LeavesConntrackAloneWhereTproxyIsEnough)
{
    const auto text = nft_text(make_plan({}, {by(Mode::tproxy)}, {"eth0"}));

    for (const auto part : {"nat", "ct ", "zone", "raw"}) EXPECT_FALSE(has(text, part)) << part;
}

TEST(RedirectPlan, KeepsTheOrderOfListenersOfBothModes)
{
    const auto text = nft_text(
        make_plan({}, {by(Mode::tproxy, "one"), by(Mode::redirect, "two"), by(Mode::tproxy, "three")}, {"eth0"}));

    EXPECT_LT(text.find("capture 1 IPv4 one"), text.find("left 2 IPv4 two"));
    EXPECT_LT(text.find("left 2 IPv4 two"), text.find("capture 3 IPv4 three"));
    EXPECT_TRUE(has(text, "daddr { 192.0.2.0/24 } accept comment \"left 2 IPv4 two\""));
    EXPECT_FALSE(has(nft_text(make_plan({}, {by(Mode::redirect)}, {"eth0"})), "left")) << "nobody comes after it";
}

TEST(RedirectPlan, IsExchangedWithItsOwnChainOfRedirects)
{
    const auto plan = make_plan({}, {by(Mode::redirect)}, {"eth0"});
    const auto without = make_plan({}, {by(Mode::tproxy)}, {"eth0"});

    EXPECT_TRUE(has(prepare_text(plan, captures_b), "redirects_b iifname"));
    EXPECT_FALSE(has(prepare_text(plan, captures_b), "redirecting"));
    EXPECT_TRUE(has(switch_text(plan, captures_b, without), "jump redirects_b"));
    EXPECT_FALSE(has(switch_text(plan, captures_b, without), "192.0.2.0"));
    EXPECT_FALSE(has(switch_text(plan, captures_b, plan), "delete"));
    EXPECT_TRUE(has(switch_text(without, captures_b, plan), "delete chain inet gateway redirecting\n"));
    EXPECT_TRUE(has(drop_text(plan, captures_a), "delete chain inet gateway redirects_a\n"));
}

TEST(RedirectPlan, LetsNatOfConnectionsUnderWayGoOn)
{
    const auto before = make_plan({}, {by(Mode::redirect)}, {"eth0"});
    auto next = make_plan({}, {by(Mode::tproxy)}, {"eth0"});
    carry_over(next, before);

    EXPECT_TRUE(has(nft_text(next), "hook prerouting priority dstnat"));
    EXPECT_FALSE(has(nft_text(next), "redirect to"));
    EXPECT_TRUE(has(nft_text(next), "ct original zone"));
}

TEST(Twins, HaveAZoneOfTheirOwnBothWays)
{
    auto web = by(Mode::tproxy);
    web.intercept.keeps_port = true;
    const auto text = nft_text(make_plan({}, {web}, {"eth0"}));

    EXPECT_TRUE(
        has(text, "add chain inet gateway zones_in { type filter hook prerouting priority raw; policy accept; }"));
    EXPECT_TRUE(has(text, "zones_in iifname { \"eth0\" } tcp flags & (syn | ack) != syn socket mark & 0x03000000 == "
                          "0x03000000 ct zone set 7373 comment \"answers to twins\""));
    EXPECT_TRUE(has(text, "zones_out meta mark & 0x03000000 == 0x03000000 ct zone set 7373 comment \"twins\""));
    EXPECT_TRUE(has(text, "prerouting meta mark & 0x03000000 == 0x03000000 return comment \"own twin\""));
}

TEST(Twins, HaveAMarkThatIsNoneOfTheOthers)
{
    for (const auto& [captured, own] : {std::pair{0x1u, 0x2u}, {0x3u, 0x2u}, {0x1u, 0x3u}, {0xc0u, 0x40u}}) {
        Settings settings;
        settings.captured_mark = captured;
        settings.own_mark = own;
        EXPECT_NE(twin_mark(settings), 0u);
        EXPECT_NE(twin_mark(settings), captured);
        EXPECT_NE(twin_mark(settings), own);
        EXPECT_EQ(twin_mark(settings) & ~(captured | own), 0u);
    }
}

TEST(ExternalPlan, InstallsOnlyTheWayBack)
{
    auto web = by(Mode::external);
    web.port_v4 = web.port_v6 = 0;
    const auto plan = make_plan({}, {web}, {"eth0"});

    EXPECT_FALSE(has(nft_text(plan), "redirect"));
    EXPECT_FALSE(has(nft_text(plan), "tproxy"));
    EXPECT_TRUE(has(nft_text(plan), "socket transparent 1 jump divert"));
    EXPECT_TRUE(web.intercept.needs_rules());
    web.intercept.keeps_address = false;
    EXPECT_FALSE(web.intercept.needs_rules());
}
