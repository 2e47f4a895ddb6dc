#include "netfilter/plan.h"

#include "netfilter/nft_text.h"
#include "netfilter/rules.h"
#include "tests/netfilter/plans.h"

#include <gtest/gtest.h>

using namespace gw;
using namespace gw::netfilter;
using namespace gw::netfilter::testing;

namespace {

constexpr std::string_view table = "add table inet gateway { flags owner; }\n";
constexpr std::string_view entry = R"(add chain inet gateway divert
add chain inet gateway prerouting { type filter hook prerouting priority mangle + 5; policy accept; }
flush chain inet gateway prerouting
flush chain inet gateway divert
)";
constexpr std::string_view empty_captures = R"(add chain inet gateway captures_a
flush chain inet gateway captures_a
)";
constexpr std::string_view own =
    R"(add rule inet gateway prerouting meta mark & 0x03000000 == 0x02000000 return comment "own"
)";
constexpr std::string_view divert = R"(add rule inet gateway divert socket wildcard 1 return comment "not a connection"
add rule inet gateway divert meta mark set meta mark & 0xfcffffff | 0x01000000 accept comment "ours"
)";
constexpr std::string_view local =
    R"(add rule inet gateway prerouting fib daddr type { local, broadcast, anycast, multicast } return comment "local"
add rule inet gateway prerouting jump captures_a comment "captures"
)";

std::string joined(std::initializer_list<std::string_view> parts)
{
    std::string text;
    for (const auto part : parts) text += part;
    return text;
}

std::string golden(std::string_view divert_lead, std::string_view captures)
{
    return joined({table, entry, empty_captures, own, divert, divert_lead, local, captures});
}

} // namespace

TEST(Plan, TakesOneListenerForBothFamiliesOnEveryInterface)
{
    const auto plan =
        make_plan({}, {capture("web", {"192.0.2.0/24", "2001:db8:1::/64"}, {{80, 80}, {443, 443}})}, {"eth1", "eth0"});

    EXPECT_EQ(
        nft_text(plan),
        golden(
            R"(add rule inet gateway prerouting iifname { "eth0", "eth1" } tcp flags & (syn | ack) != syn socket transparent 1 jump divert comment "divert"
add rule inet gateway prerouting iifname { "eth0", "eth1" } meta l4proto { icmp, icmpv6 } socket transparent 1 jump divert comment "divert errors"
)",
            R"(add rule inet gateway captures_a iifname { "eth0", "eth1" } tcp dport { 80, 443 } ip daddr { 192.0.2.0/24 } tproxy ip to 127.0.0.1:4000 meta mark set meta mark & 0xfcffffff | 0x01000000 counter accept comment "capture 1 IPv4 web"
add rule inet gateway captures_a iifname { "eth0", "eth1" } tcp dport { 80, 443 } ip daddr { 192.0.2.0/24 } counter accept comment "passed 1 IPv4 web"
add rule inet gateway captures_a iifname { "eth0", "eth1" } tcp dport { 80, 443 } ip6 daddr { 2001:db8:1::/64 } tproxy ip6 to [::1]:4006 meta mark set meta mark & 0xfcffffff | 0x01000000 counter accept comment "capture 1 IPv6 web"
add rule inet gateway captures_a iifname { "eth0", "eth1" } tcp dport { 80, 443 } ip6 daddr { 2001:db8:1::/64 } counter accept comment "passed 1 IPv6 web"
)"));
    EXPECT_EQ(ip_text(plan), R"(ip -4 route replace local default dev lo table 7373 protocol 2
ip -4 rule add fwmark 0x1000000/0x3000000 iif eth0 lookup 7373 priority 773 protocol 2
ip -4 rule add fwmark 0x1000000/0x3000000 iif eth1 lookup 7373 priority 773 protocol 2
ip -6 route replace local default dev lo table 7373 protocol 2
ip -6 rule add fwmark 0x1000000/0x3000000 iif eth0 lookup 7373 priority 773 protocol 2
ip -6 rule add fwmark 0x1000000/0x3000000 iif eth1 lookup 7373 priority 773 protocol 2
)");
}

TEST(Plan, KeepsSeveralListenersInOrderWithTheirExceptionsAndRanges)
{
    auto first = capture("web", {"192.0.2.0/25", "192.0.2.128/25"}, {{8000, 8080}, {80, 80}, {8081, 8090}});
    first.intercept.interfaces = {"lan0"};
    first.intercept.except_from = networks({"10.1.0.9", "2001:db8::9"});
    first.intercept.except_to = networks({"192.0.2.53"});
    auto second = capture("rest", {"0.0.0.0/0"}, {{1, 65535}});
    second.port_v4 = 4100;
    const auto plan = make_plan({}, {first, second}, {"eth0"});

    EXPECT_EQ(
        nft_text(plan),
        golden(
            R"(add rule inet gateway prerouting iifname { "eth0", "lan0" } tcp flags & (syn | ack) != syn socket transparent 1 jump divert comment "divert"
add rule inet gateway prerouting iifname { "eth0", "lan0" } meta l4proto { icmp, icmpv6 } socket transparent 1 jump divert comment "divert errors"
)",
            R"(add rule inet gateway captures_a iifname { "lan0" } tcp dport { 80, 8000-8090 } ip daddr { 192.0.2.0/24 } ip daddr != { 192.0.2.53 } ip saddr != { 10.1.0.9 } tproxy ip to 127.0.0.1:4000 meta mark set meta mark & 0xfcffffff | 0x01000000 counter accept comment "capture 1 IPv4 web"
add rule inet gateway captures_a iifname { "lan0" } tcp dport { 80, 8000-8090 } ip daddr { 192.0.2.0/24 } ip daddr != { 192.0.2.53 } ip saddr != { 10.1.0.9 } counter accept comment "passed 1 IPv4 web"
add rule inet gateway captures_a iifname { "eth0" } tcp dport { 1-65535 } ip daddr { 0.0.0.0/0 } tproxy ip to 127.0.0.1:4100 meta mark set meta mark & 0xfcffffff | 0x01000000 counter accept comment "capture 2 IPv4 rest"
add rule inet gateway captures_a iifname { "eth0" } tcp dport { 1-65535 } ip daddr { 0.0.0.0/0 } counter accept comment "passed 2 IPv4 rest"
)"));
    EXPECT_EQ(plan.policy_rules, (std::vector<PolicyRule>{{"eth0", false}, {"lan0", false}}));
}

TEST(Plan, LeavesOutTheFamilyThatNobodyAsksFor)
{
    const auto plan = make_plan({}, {capture("six", {"2001:db8::/32"}, {{443, 443}})}, {"eth0"});

    EXPECT_EQ(nft_text(plan).find("tproxy ip to"), std::string::npos);
    EXPECT_NE(nft_text(plan).find("tproxy ip6 to [::1]:4006"), std::string::npos);
    EXPECT_EQ(plan.policy_rules, (std::vector<PolicyRule>{{"eth0", true}}));
    EXPECT_EQ(ip_text(plan).find("ip -4"), std::string::npos);
}

TEST(Plan, CapturesNothingWithoutAnInterface)
{
    const auto plan = make_plan({}, {capture("web", {"192.0.2.0/24"}, {{80, 80}})}, {});

    EXPECT_EQ(nft_text(plan), joined({table, entry, empty_captures, own, local}));
    EXPECT_EQ(ip_text(plan), "");
}

TEST(Plan, IsExchangedInStepsOfWhichOnlyTheFirstHoldsSetsOfNetworksOrPorts)
{
    const auto plan = make_plan({}, {capture("web", {"192.0.2.0/24"}, {{80, 80}, {8000, 8010}})}, {"eth0"});

    EXPECT_EQ(prepare_text(plan, captures_b), R"(add table inet gateway { flags owner; }
add chain inet gateway captures_b
flush chain inet gateway captures_b
add rule inet gateway captures_b iifname { "eth0" } tcp dport { 80, 8000-8010 } ip daddr { 192.0.2.0/24 } tproxy ip to 127.0.0.1:4000 meta mark set meta mark & 0xfcffffff | 0x01000000 counter accept comment "capture 1 IPv4 web"
add rule inet gateway captures_b iifname { "eth0" } tcp dport { 80, 8000-8010 } ip daddr { 192.0.2.0/24 } counter accept comment "passed 1 IPv4 web"
)");
    EXPECT_EQ(
        switch_text(plan, captures_b, plan),
        joined(
            {entry, own, divert,
             R"(add rule inet gateway prerouting iifname { "eth0" } tcp flags & (syn | ack) != syn socket transparent 1 jump divert comment "divert"
add rule inet gateway prerouting iifname { "eth0" } meta l4proto { icmp, icmpv6 } socket transparent 1 jump divert comment "divert errors"
add rule inet gateway prerouting fib daddr type { local, broadcast, anycast, multicast } return comment "local"
add rule inet gateway prerouting jump captures_b comment "captures"
)"}));
    EXPECT_EQ(drop_text(plan, captures_a), R"(add chain inet gateway captures_a
flush chain inet gateway captures_a
delete chain inet gateway captures_a
)");
}

TEST(Plan, WithoutCapturesKeepsConnectionsUnderWay)
{
    auto plan = make_plan({}, {capture("web", {"192.0.2.0/24"}, {{80, 80}})}, {"eth0"});
    plan.captures.clear();

    EXPECT_EQ(
        nft_text(plan),
        golden(
            R"(add rule inet gateway prerouting iifname { "eth0" } tcp flags & (syn | ack) != syn socket transparent 1 jump divert comment "divert"
add rule inet gateway prerouting iifname { "eth0" } meta l4proto { icmp, icmpv6 } socket transparent 1 jump divert comment "divert errors"
)",
            ""));
    EXPECT_NE(ip_text(plan).find("iif eth0 lookup 7373"), std::string::npos);
}

TEST(Plan, LetsNoListenerNameOutOfItsComment)
{
    auto evil = capture("a\"\n; flush ruleset # {}\\", {"192.0.2.0/24"}, {{80, 80}});
    const auto text = nft_text(make_plan({}, {evil}, {"eth0"}));

    EXPECT_EQ(text.find("flush ruleset"), std::string::npos);
    EXPECT_NE(text.find("comment \"capture 1 IPv4 a____flush_ruleset______\""), std::string::npos) << text;
}

TEST(Plan, KeepsCommentsShortEnoughForTheKernel)
{
    const auto plan = make_plan({}, {capture(std::string(500, 'x'), {"192.0.2.0/24"}, {{80, 80}})}, {"eth0"});
    for (const Rule& rule : rules_of(plan, captures_a)) EXPECT_LT(rule.comment.size(), 128U);
}

TEST(Plan, MarksOnlyItsOwnBits)
{
    Settings settings;
    settings.mark_mask = 0x00c0;
    settings.captured_mark = 0x0040;
    settings.own_mark = 0x0080;
    const auto plan = make_plan(settings, {capture("web", {"192.0.2.0/24"}, {{80, 80}})}, {"eth0"});

    EXPECT_NE(nft_text(plan).find("meta mark set meta mark & 0xffffff3f | 0x00000040"), std::string::npos);
    EXPECT_NE(nft_text(plan).find("meta mark & 0x000000c0 == 0x00000080 return"), std::string::npos);
    EXPECT_NE(ip_text(plan).find("fwmark 0x40/0xc0 "), std::string::npos);
}

TEST(Plan, HandsOverBeforeItMarksSoThatNoListenerMeansUntouched)
{
    const auto text = nft_text(make_plan({}, {capture("web", {"192.0.2.0/24"}, {{80, 80}})}, {"eth0"}));
    const auto line = text.substr(text.find("tproxy ip to"));
    EXPECT_LT(line.find("tproxy"), line.find("meta mark set"));
}

TEST(Plan, SaysWhatHoldsWhenNobodyListens)
{
    auto web = capture("web", {"192.0.2.0/24"}, {{80, 80}});
    web.intercept.when_down = WhenDown::reject;
    EXPECT_NE(
        nft_text(make_plan({}, {web}, {"eth0"})).find("counter reject with tcp reset comment \"passed 1 IPv4 web\""),
        std::string::npos);
    web.intercept.when_down = WhenDown::drop;
    EXPECT_NE(nft_text(make_plan({}, {web}, {"eth0"})).find("counter drop comment \"passed 1 IPv4 web\""),
              std::string::npos);
}

TEST(Plan, TakesDatagramsAndLeadsOnlyAnswersFromUpstreamsHere)
{
    auto dns = capture("dns", {"0.0.0.0/0", "::/0"}, {{53, 53}});
    dns.intercept.transport = Transport::udp;
    const auto plan = make_plan({}, {dns}, {"eth0"});

    EXPECT_EQ(
        nft_text(plan),
        golden(
            R"(add rule inet gateway prerouting iifname { "eth0" } tcp flags & (syn | ack) != syn socket transparent 1 jump divert comment "divert"
add rule inet gateway prerouting iifname { "eth0" } meta l4proto udp socket transparent 1 socket mark & 0x03000000 == 0x02000000 jump divert comment "divert answers"
add rule inet gateway prerouting iifname { "eth0" } meta l4proto { icmp, icmpv6 } socket transparent 1 jump divert comment "divert errors"
)",
            R"(add rule inet gateway captures_a iifname { "eth0" } udp dport { 53 } ip daddr { 0.0.0.0/0 } tproxy ip to 127.0.0.1:4000 meta mark set meta mark & 0xfcffffff | 0x01000000 counter accept comment "capture 1 IPv4 dns"
add rule inet gateway captures_a iifname { "eth0" } udp dport { 53 } ip daddr { 0.0.0.0/0 } counter accept comment "passed 1 IPv4 dns"
add rule inet gateway captures_a iifname { "eth0" } udp dport { 53 } ip6 daddr { ::/0 } tproxy ip6 to [::1]:4006 meta mark set meta mark & 0xfcffffff | 0x01000000 counter accept comment "capture 1 IPv6 dns"
add rule inet gateway captures_a iifname { "eth0" } udp dport { 53 } ip6 daddr { ::/0 } counter accept comment "passed 1 IPv6 dns"
)"));
}

TEST(Plan, WithoutCapturesKeepsFlowsOfDatagramsUnderWay)
{
    auto dns = capture("dns", {"0.0.0.0/0"}, {{53, 53}});
    dns.intercept.transport = Transport::udp;
    auto plan = make_plan({}, {dns}, {"eth0"});
    plan.captures.clear();

    EXPECT_NE(nft_text(plan).find("comment \"divert answers\""), std::string::npos);
}

TEST(Plan, RejectsDatagramsAsAClosedPortDoes)
{
    auto dns = capture("dns", {"192.0.2.0/24"}, {{53, 53}});
    dns.intercept.transport = Transport::udp;
    dns.intercept.when_down = WhenDown::reject;
    EXPECT_NE(nft_text(make_plan({}, {dns}, {"eth0"}))
                  .find("counter reject with icmpx port-unreachable comment \"passed 1 IPv4 dns\""),
              std::string::npos);
}

TEST(Plan, CanBePrintedForATableWithoutOwner)
{
    const auto plan = make_plan({}, {capture("web", {"192.0.2.0/24"}, {{80, 80}})}, {"eth0"});
    EXPECT_TRUE(nft_text(plan, false).starts_with("add table inet gateway\nadd chain"));
}

TEST(Plan, TakesOnlyNamesThatAreOneInterface)
{
    for (const std::string_view good : {"eth0", "br-lan", "wlan0.5", "veth@x", "a", "fifteen-letters"})
        EXPECT_TRUE(is_interface_name(good)) << good;
    for (const std::string_view bad : {"", ".", "..", "eth*", "a b", "a\"b", "a/b", "a\nb", "a\\b", "sixteen--letters"})
        EXPECT_FALSE(is_interface_name(bad)) << bad;
}

TEST(Plan, LeavesOutAnInterfaceThatNoRuleCanName)
{
    const auto web = capture("web", {"192.0.2.0/24", "2001:db8::/32"}, {{80, 80}});
    const auto plain = make_plan({}, {web}, {"eth0", "wan+"});
    const auto plan = make_plan({}, {web}, {"eth0", "wan+", "wan\"1", "*", "a\\b", "b\xc3\xbcro"});
    EXPECT_EQ(plan.left_out, (std::vector<std::string>{"*", "a\\b", "b\xc3\xbcro", "wan\"1"}));
    EXPECT_TRUE(check(plan)) << "the others go on";
    EXPECT_EQ(nft_text(plan), nft_text(plain));
    EXPECT_EQ(plan.policy_rules, plain.policy_rules);
    EXPECT_TRUE(plain.left_out.empty()) << "nft can name it";

    auto named = web;
    named.intercept.interfaces = {"wan\"1"};
    const auto refused = check(make_plan({}, {named}, {"eth0", "wan\"1"}));
    ASSERT_FALSE(refused) << "asked for by name";
    EXPECT_EQ(refused.error().what, "listener web: not an interface: wan\"1");
}

TEST(Plan, CapturesOnlyWhileAHeartbeatIsFresh)
{
    auto plan = make_plan({}, {capture("web", {"192.0.2.0/24"}, {{80, 80}})}, {"eth0"});
    plan.heartbeat_port = 4'012;
    const auto text = nft_text(plan);
    EXPECT_TRUE(
        text.starts_with(joined({table, R"(add set inet gateway alive { type mark; size 4; flags dynamic,timeout; }
add chain inet gateway heartbeat { type filter hook ingress device "lo" priority -10; policy accept; }
flush chain inet gateway heartbeat
)"})));
    EXPECT_TRUE(text.ends_with(
        R"(add rule inet gateway heartbeat ip saddr 127.0.0.1 ip daddr 127.0.0.1 udp sport 4012 udp dport 4012 update @alive { meta mark & 0x00000000 timeout 2000ms } drop comment "heartbeat"
)"));
    const auto gate = text.find(
        R"(add rule inet gateway prerouting meta mark & 0x00000000 != @alive return comment "not alive, prerouting")");
    ASSERT_NE(gate, std::string::npos);
    EXPECT_LT(text.find("comment \"divert\""), gate) << "connections under way do not depend on it";
    EXPECT_LT(gate, text.find("comment \"captures\""));
    EXPECT_EQ(switch_text(plan, captures_b, plan).find("heartbeat"), std::string::npos) << "it beats on in an exchange";
}
