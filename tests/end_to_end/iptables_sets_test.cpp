// Many networks with iptables: in a set of ipset's, which is exchanged whole and goes with the rules.

#include "tests/end_to_end/iptables.h"
#include "tests/end_to_end/reload_load.h"

#include <fstream>

namespace gw::lab {
namespace {

class IptablesSets : public Iptables {
protected:
    void SetUp() override
    {
        Iptables::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        if (run({"ipset", "list", "-n"}, network.gateway().place()).exit_code != 0) GTEST_SKIP() << "there is no ipset";
        does("ipset create gateway-friends hash:net; ipset add gateway-friends 10.9.0.0/16");
    }
    /// Names of all sets but those of others, with how many networks are in each.
    std::vector<std::pair<std::string, int>> sets() const
    {
        std::istringstream lines(does("/usr/sbin/ipset list -terse"));
        std::vector<std::pair<std::string, int>> found;
        for (std::string line; std::getline(lines, line);) {
            if (line.starts_with("Name: ")) found.emplace_back(line.substr(6), -1);
            if (line.starts_with("Number of entries: ")) found.back().second = std::stoi(line.substr(19));
        }
        std::erase_if(found, [](const auto& set) { return set.first == "gateway-friends"; });
        return found;
    }
    /// 10.`second`.x.y/32 and fd00:`second`::x/128, so many of each family.
    static std::string networks(int count, int second)
    {
        std::string text;
        for (int i = 0; i < count; ++i) {
            const auto low = std::to_string(i / 250) + '.' + std::to_string(i % 250);
            text += ", 10." + std::to_string(second) + '.' + low + ", \"fd00:" + std::to_string(second) +
                    "::" + std::to_string(i) + '"';
        }
        return text;
    }
    static std::string many(int count, int second, const std::string& more = "")
    {
        return "listeners:\n  - name: web\n    intercept: {to: [10.0.2.0/24, \"fd00:2::/64\"" +
               networks(count, second) + "], ports: [80]" + more + "}\n" + std::string(by_iptables) +
               std::string(CountingSite::marking);
    }
    /// One that does nothing well stands before the real one in PATH.
    void has_no_ipset() const
    {
        std::ofstream(folder_.path("ipset")) << "#!/bin/sh\necho 'ipset: not today' >&2\nexit 1\n";
        std::filesystem::permissions(folder_.path("ipset"), std::filesystem::perms::owner_all);
    }
};

INSTANTIATE_TEST_SUITE_P(Variants, IptablesSets, ::testing::Values("nft", "legacy"),
                         [](const ::testing::TestParamInfo<const char*>& row) { return std::string(row.param); });

TEST_P(IptablesSets, TenThousandNetworksAreExchangedUnderLoadAndLeaveNothing)
{
    BothFamilies load(network);
    gateway.runs_with(many(4'999, 40, ", when_down: reject"));
    ASSERT_TRUE(load.are_inspected(3)) << gateway.log();
    const auto first = sets();
    ASSERT_EQ(first.size(), 2U) << "one a family, for the captures and the guard";
    for (const auto& [name, size] : first) EXPECT_EQ(size, 5'000) << name;
    EXPECT_LT(rules().size(), 20'000U);
    const int before = load.uninspected();

    gateway.reloads(many(4'000, 41, ", when_down: reject"));

    EXPECT_TRUE(load.are_inspected(3));
    const auto second = sets();
    ASSERT_EQ(second.size(), 2U);
    for (const auto& [name, size] : second) EXPECT_EQ(size, 4'001) << name;
    EXPECT_EQ(status()["rules"].value("missing", "?"), "");
    gateway.is_killed();
    EXPECT_TRUE(load.are_refused(5));
    EXPECT_EQ(sets(), second);
    EXPECT_EQ(load.uninspected(), before) << "what is closed stays closed";
    gateway.runs_with(many(3, 42));
    EXPECT_TRUE(sets().empty());
    gateway.stops();
    EXPECT_EQ(rules(), "");
    EXPECT_EQ(does("ipset list -n"), "gateway-friends\n");
}

TEST_P(IptablesSets, ExceptionsAreLookedUpInThemToo)
{
    CountingSite site(network.servers(), "10.0.2.11:80"), excepted(network.servers(), "10.0.2.12:80");
    gateway.runs_with(
        many(0, 0, ", except: {from: [10.0.1.3" + networks(100, 43) + "], to: [10.0.2.12" + networks(200, 44) + "]}"));
    const auto asks = [&](const char* client, const char* url) { return network.client(client).asks(url).status; };
    EXPECT_EQ(asks("10.0.1.2", "http://10.0.2.11/"), 200);
    EXPECT_EQ(site.inspected(), 1) << rules();
    EXPECT_EQ(asks("10.0.1.3", "http://10.0.2.11/"), 200);
    EXPECT_EQ(asks("10.0.1.2", "http://10.0.2.12/"), 200);
    EXPECT_EQ(site.uninspected() + excepted.uninspected(), 2) << rules();
    EXPECT_EQ(sets().size(), 4U);
}

TEST_P(IptablesSets, WhatOthersTakeOutOfThemComesBack)
{
    BothFamilies load(network);
    gateway.runs_with(many(50, 45));
    ASSERT_TRUE(load.are_inspected(3));
    const auto before = sets();
    does("for set in $(ipset list -n | grep gateway-[46]); do ipset flush $set; done");
    EXPECT_TRUE(eventually([&] { return sets() == before; }));
    EXPECT_TRUE(load.are_inspected(3));
    EXPECT_THAT(status()["rules"].value("last_healed", ""), HasSubstr("networks in set gateway-"));
}

TEST_P(IptablesSets, AnOrdinaryUserHasThemToo)
{
    gateway.runs_unprivileged_with(many(50, 46));
    EXPECT_EQ(sets().size(), 2U) << gateway.log();
    gateway.stops();
    EXPECT_TRUE(sets().empty());
}

TEST_P(IptablesSets, TheOtherBackendTakesThemAway)
{
    gateway.runs_with(many(50, 47));
    gateway.is_killed();
    EXPECT_EQ(sets().size(), 2U);
    auto yaml = many(50, 47);
    yaml.replace(yaml.find("backend: iptables"), 17, "backend: nft");
    gateway.runs_with(yaml);
    EXPECT_TRUE(sets().empty());
    EXPECT_EQ(rules(), "");
}

TEST_P(IptablesSets, WithoutThemEachNetworkIsARuleAndTheLogSaysSoOnce)
{
    BothFamilies load(network);
    has_no_ipset();
    gateway.runs_with(many(150, 48));
    ASSERT_TRUE(load.are_inspected(3)) << gateway.log();
    gateway.reloads(many(160, 48));
    EXPECT_TRUE(sets().empty());
    EXPECT_THAT(rules(), HasSubstr("10.48.0.159/32"));
    const auto log = gateway.log();
    const auto said = log.find("compared with up to 151 networks");
    ASSERT_NE(said, std::string::npos) << log;
    EXPECT_THAT(log, HasSubstr("not today"));
    EXPECT_EQ(log.find("compared with up to", said + 1), std::string::npos) << log;
}

} // namespace
} // namespace gw::lab
