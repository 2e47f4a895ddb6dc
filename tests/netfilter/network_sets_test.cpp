#include "netfilter/network_sets.h"

#include "netfilter/iptables_text.h"
#include "tests/netfilter/plans.h"

#include <gtest/gtest.h>

using namespace gw;
using namespace gw::netfilter;
using namespace gw::netfilter::testing;

namespace {

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::vector<Network> many(int count)
{
    std::vector<Network> all;
    for (int i = 0; i < count; ++i) all.push_back(Network::parse("10.0." + std::to_string(i) + ".0/24").value());
    return all;
}

NetworkSet set_of(std::initializer_list<std::string_view> texts, bool v6 = false)
{
    return network_set({}, v6, networks_of(networks(texts), v6));
}

Plan plan_with(std::vector<Network> to, bool sets)
{
    auto web = capture("web", {"192.0.2.0/24"}, {{80, 80}});
    web.intercept.to = std::move(to);
    web.intercept.when_down = WhenDown::reject;
    auto plan = make_plan({}, {web}, {"eth0"});
    plan.network_sets = sets;
    return plan;
}

} // namespace

TEST(NetworkSets, AreFilledUnderAnotherNameAndThenWhole)
{
    const auto set = set_of({"192.0.2.0/24", "10.0.0.1", "192.0.2.0/24"});
    EXPECT_EQ(set.name.size(), std::string("gateway-4-").size() + 12);
    const auto filled = set.name + "-t";
    EXPECT_EQ(set_text({set}, {}), "create " + filled + " hash:net family inet hashsize 2 maxelem 2\nadd " + filled +
                                       " 10.0.0.1/32\nadd " + filled + " 192.0.2.0/24\nrename " + filled + ' ' +
                                       set.name + '\n');
    EXPECT_EQ(set_text({set}, {{set.name, 2}}), "");
    const auto refilled = set_text({set}, {{set.name, 1}, {filled, 1}});
    EXPECT_TRUE(refilled.starts_with("destroy " + filled + "\ncreate " + filled));
    EXPECT_TRUE(refilled.ends_with("swap " + filled + ' ' + set.name + "\ndestroy " + filled + '\n'));
}

TEST(NetworkSets, AreNamedByWhatIsInThem)
{
    EXPECT_EQ(set_of({"10.0.0.0/8", "192.0.2.0/24"}).name, set_of({"192.0.2.0/24", "10.0.0.0/8"}).name);
    EXPECT_NE(set_of({"10.0.0.0/8"}).name, set_of({"10.0.0.0/9"}).name);
    EXPECT_TRUE(set_of({"2001:db8::/32"}, true).name.starts_with("gateway-6-"));
    Settings longest;
    longest.table = "fourteenletter";
    EXPECT_LE((network_set(longest, true, {"::1/128"}).name + "-t").size(), 31U);
}

TEST(NetworkSets, HoldEverythingAsTwoHalves)
{
    const auto text = set_text({set_of({"0.0.0.0/0", "10.0.0.0/8"})}, {});
    EXPECT_TRUE(has(text, " 0.0.0.0/1\n") && has(text, " 128.0.0.0/1\n") && has(text, " 10.0.0.0/8\n"));
    EXPECT_TRUE(has(text, "maxelem 3\n"));
    EXPECT_FALSE(has(text, "/0\n"));
    EXPECT_TRUE(has(set_text({set_of({"0.0.0.0/0", "0.0.0.0/1"})}, {}), "maxelem 2\n"));
    const auto v6 = set_text({set_of({"::/0"}, true)}, {});
    EXPECT_TRUE(has(v6, "family inet6") && has(v6, " ::/1\n") && has(v6, " 8000::/1\n"));
}

TEST(NetworkSets, AreToldFromThoseOfOthers)
{
    const auto ours = set_of({"10.0.0.0/8"}).name;
    std::string listing;
    for (const auto& name : {std::string("gateway-friends"), ours, ours + "-t", std::string("gateway-4-xyz"),
                             std::string("mygateway-4-0123456789ab"), std::string("gateway-4-0123456789AB")})
        listing +=
            "Name: " + name +
            "\nType: hash:net\nRevision: 7\nHeader: family inet hashsize 64 maxelem 7 bucketsize 12 initval 0x1\n"
            "Size in memory: 456\nReferences: 0\nNumber of entries: 7\n\n";
    EXPECT_EQ(sets_in({}, listing), (std::vector<FoundSet>{{ours, 7}, {ours + "-t", 7}}));
    EXPECT_EQ(end_of_sets({set_of({"10.0.0.0/8"})}, sets_in({}, listing)), "destroy " + ours + "-t\n");
    for (std::size_t cut = 0; cut < listing.size(); ++cut) static_cast<void>(sets_in({}, listing.substr(0, cut)));
}

TEST(NetworkSets, SayWhatIsMissing)
{
    const auto set = set_of({"10.0.0.0/8", "192.0.2.0/24"});
    EXPECT_EQ(difference({set}, {{set.name, 2}}), "");
    EXPECT_EQ(difference({set}, {{set.name, 1}}), "networks in set " + set.name);
    EXPECT_EQ(difference({set}, {}), "set " + set.name);
}

TEST(NetworkSets, TakeThePlaceOfARuleForEachNetworkOfALongList)
{
    const auto rules =
        joined(iptables_rules(plan_with(many(200), true), false), iptables_guard(plan_with(many(200), true), false));
    ASSERT_EQ(rules.sets.size(), 1U) << "captures and guard ask the same one";
    EXPECT_EQ(rules.sets[0].networks.size(), 200U);
    const auto text = restore_text(rules, {});
    const auto asked = " -m set --match-set " + rules.sets[0].name + " dst -p tcp ";
    EXPECT_TRUE(has(text, asked + "-j TPROXY")) << text;
    EXPECT_TRUE(has(text, asked + "-j gateway-refuse"));
    EXPECT_FALSE(has(text, "10.0.7.0"));
    EXPECT_EQ(iptables_rules(plan_with(many(15), true), false).sets.size(), 0U) << "a short list";
    EXPECT_TRUE(has(restore_text(iptables_rules(plan_with(many(200), false), false), {}), "-d 10.0.7.0/24 -p tcp -j"));
}

TEST(NetworkSets, AreAskedForTheSourceInExceptions)
{
    auto plan = plan_with(networks({"192.0.2.0/24"}), true);
    plan.captures[0].intercept.except_from = many(20);
    const auto rules = iptables_rules(plan, false);
    ASSERT_EQ(rules.sets.size(), 1U);
    EXPECT_TRUE(has(restore_text(rules, {}), "-m set --match-set " + rules.sets[0].name + " src -j RETURN\n"));
}

TEST(NetworkSets, AreShownWithTheRulesThatAskThem)
{
    const auto text = iptables_text(plan_with(many(20), true));
    EXPECT_TRUE(text.starts_with("# ipset restore\ncreate gateway-4-"));
    EXPECT_LT(text.find("\nrename gateway-4-"), text.find("# iptables-restore --noflush\n"));
}

TEST(NetworkSets, OfOtherNetworksAreOtherRules)
{
    auto more = many(20);
    const auto before = iptables_rules(plan_with(more, true), false);
    more.pop_back();
    const auto after = iptables_rules(plan_with(more, true), false);
    EXPECT_NE(restore_text(before, {}), restore_text(after, {}));
}
