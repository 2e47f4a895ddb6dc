#include "netfilter/guard_text.h"

#include "tests/netfilter/plans.h"

#include <gtest/gtest.h>

using namespace gw;
using namespace gw::netfilter;
using namespace gw::netfilter::testing;

namespace {

Capture closed(std::string name, std::initializer_list<std::string_view> to, WhenDown when_down = WhenDown::reject)
{
    auto made = capture(std::move(name), to, {{80, 80}, {8000, 8080}});
    made.intercept.when_down = when_down;
    return made;
}

Plan plan_of(std::vector<Capture> captures) { return make_plan({}, std::move(captures), {"eth0"}); }

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// The text without the digest, which says nothing to a reader.
std::string without_digest(std::string text)
{
    for (auto at = text.find("refusals "); at != std::string::npos; at = text.find("refusals ", at + 9))
        if (text[at - 1] == '"' || text[at - 1] == ' ') text.replace(at + 9, 16, "DIGEST");
    return text;
}

} // namespace

TEST(Guard, RefusesWhatAClosedListenerWouldHaveCapturedAndNobodyDid)
{
    auto web = closed("web", {"192.0.2.0/24", "2001:db8::/32"});
    web.intercept.except_from = networks({"10.0.0.1"});
    EXPECT_EQ(without_digest(guard_text(plan_of({web}))),
              R"(add table inet gateway_guard
add chain inet gateway_guard refusals_a
flush chain inet gateway_guard refusals_a
add rule inet gateway_guard refusals_a tcp dport { 80, 8000-8080 } ip daddr { 192.0.2.0/24 } ip saddr != { 10.0.0.1 } counter reject with tcp reset comment "refused 1 IPv4 web"
add rule inet gateway_guard refusals_a tcp dport { 80, 8000-8080 } ip6 daddr { 2001:db8::/32 } counter reject with tcp reset comment "refused 1 IPv6 web"
add chain inet gateway_guard early { type filter hook prerouting priority mangle + 6; policy accept; }
flush chain inet gateway_guard early
add chain inet gateway_guard forward { type filter hook forward priority filter - 5; policy accept; }
flush chain inet gateway_guard forward
add chain inet gateway_guard reassembly
flush chain inet gateway_guard reassembly
add rule inet gateway_guard early meta mark & 0x03000000 != 0x00000000 return comment "marked"
add rule inet gateway_guard early fib daddr type { local, broadcast, anycast, multicast } return comment "local"
add rule inet gateway_guard early jump refusals_a comment "early refusals DIGEST"
add rule inet gateway_guard forward meta mark & 0x03000000 == 0x01000000 counter drop comment "undelivered"
add rule inet gateway_guard forward jump refusals_a comment "refusals DIGEST"
add rule inet gateway_guard reassembly meta l4proto tcp tproxy to :1 comment "never reached"
)");
}

TEST(Guard, DropsWhereThatIsAskedFor)
{
    const auto text = guard_text(plan_of({closed("web", {"192.0.2.0/24"}, WhenDown::drop)}));
    EXPECT_TRUE(has(text, "counter drop comment \"refused 1 IPv4 web\""));
    EXPECT_FALSE(has(text, "IPv6"));
}

TEST(Guard, IsNeededOnlyWhereAListenerIsClosedWhenDown)
{
    EXPECT_FALSE(needs_guard(plan_of({})));
    EXPECT_FALSE(needs_guard(plan_of({closed("web", {"192.0.2.0/24"}, WhenDown::pass)})));
    EXPECT_TRUE(needs_guard(plan_of({closed("web", {"192.0.2.0/24"}, WhenDown::drop)})));
    auto elsewhere = closed("web", {"192.0.2.0/24"});
    elsewhere.intercept.mode = Mode::external;
    EXPECT_FALSE(needs_guard(plan_of({elsewhere})));
}

TEST(Guard, NeedsNoPortsAndNoInterfacesThatArePresent)
{
    auto web = closed("web", {"192.0.2.0/24"});
    const auto at_work = guard_text(make_plan({}, {web}, {"eth0", "eth1"}));
    web.port_v4 = web.port_v6 = 0;
    EXPECT_EQ(guard_text(make_plan({}, {web}, {})), at_work);
}

TEST(Guard, KeepsTheOrderOfListenersAndLeavesOutOpenOnesThatComeLast)
{
    const auto text =
        guard_text(plan_of({closed("first", {"192.0.2.53"}, WhenDown::pass), closed("second", {"192.0.2.0/24"}),
                            closed("third", {"0.0.0.0/0"}, WhenDown::pass)}));
    EXPECT_LT(text.find("counter accept comment \"passed 1 IPv4 first\""),
              text.find("counter reject with tcp reset comment \"refused 2 IPv4 second\""));
    EXPECT_FALSE(has(text, "third"));
}

TEST(Guard, LooksOnlyAtWhatIsForwardedWhereARedirectMayStillComeBefore)
{
    auto web = closed("web", {"192.0.2.0/24"});
    web.intercept.mode = Mode::redirect;
    const auto text = guard_text(plan_of({web}));
    EXPECT_TRUE(has(text, "flush chain inet gateway_guard early\ndelete chain inet gateway_guard early\n"));
    EXPECT_FALSE(has(text, "add rule inet gateway_guard early"));
    EXPECT_TRUE(has(text, "refused 1 IPv4 web"));
}

TEST(Guard, SaysItsInterfacesWhereTheListenerDoes)
{
    auto web = closed("web", {"192.0.2.0/24"});
    web.intercept.interfaces = {"lan0"};
    EXPECT_TRUE(has(guard_text(plan_of({web})), "refusals_a iifname { \"lan0\" } tcp dport"));
}

TEST(Guard, IsExchangedWithoutAMomentInWhichNothingIsRefused)
{
    const auto plan = plan_of({closed("web", {"192.0.2.0/24"})});
    EXPECT_FALSE(has(prepare_guard_text(plan, refusals_b), "hook"));
    const auto exchange = switch_guard_text(plan, refusals_b);
    EXPECT_TRUE(has(exchange, "jump refusals_b"));
    EXPECT_FALSE(has(exchange, "{ 192.0.2.0/24 }")) << "no set of networks in the exchange";
    EXPECT_EQ(drop_guard_text({}, refusals_a), R"(add chain inet gateway_guard refusals_a
flush chain inet gateway_guard refusals_a
delete chain inet gateway_guard refusals_a
)");
}

TEST(Guard, DiffersWhenRulesOnlySayLess)
{
    const auto more = guard_rules(plan_of({closed("web", {"192.0.2.0/24", "198.51.100.0/24"})}), refusals_a);
    const auto less = guard_rules(plan_of({closed("web", {"192.0.2.0/24"})}), refusals_a);
    EXPECT_NE(more[4].comment, less[4].comment);
    EXPECT_EQ(less[4].comment, guard_rules(plan_of({closed("web", {"192.0.2.0/24"})}), refusals_a)[4].comment);
}

TEST(Guard, KnowsWhichRefusalsAreInForce)
{
    EXPECT_EQ(refusals_in("jump refusals_a comment"), refusals_a);
    EXPECT_EQ(refusals_in("jump refusals_b comment"), refusals_b);
    EXPECT_EQ(refusals_in(""), refusals_a);
}
