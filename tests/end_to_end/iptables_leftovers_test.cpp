// What is left when a host changes which iptables it means (update-alternatives), while our rules stand or after a
// crash.

#include "tests/end_to_end/iptables.h"

namespace gw::lab {
namespace {

/// The parameter is the variant that the host means first.
class SwitchedIptables : public Iptables {
protected:
    void SetUp() override
    {
        Iptables::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        for (const std::string variant : {"nft", "legacy"}) {
            const auto listed = run({"iptables-" + variant, "-t", "mangle", "-L"}, network.gateway().place());
            if (listed.exit_code != 0) GTEST_SKIP() << "no " << variant << " tables here: " << listed.err;
        }
        for (const std::string& variant : {first(), second()})
            does("iptables-" + variant + " -t mangle -A PREROUTING -i inside -p tcp --dport 9999 -j DROP; iptables-" +
                 variant + " -t mangle -N gateway-friends; iptables-" + variant +
                 " -t mangle -A gateway-friends -j RETURN; ip6tables-" + variant +
                 " -A FORWARD -p ipv6-icmp -j ACCEPT");
        first_before_ = rules_of(first());
        second_before_ = rules_of(second());
    }
    static std::string first() { return GetParam(); }
    static std::string second() { return first() == "nft" ? "legacy" : "nft"; }
    std::string backend() const { return status()["rules"].value("backend", ""); }
    static std::string name_of(const std::string& variant)
    {
        return "iptables (" + (variant == "nft" ? "nf_tables" : variant) + ')';
    }
    void everything_goes()
    {
        const auto removed = gateway.ctl({"rules", "remove", "--config", gateway.configuration_file()});
        EXPECT_EQ(removed.exit_code, 0) << removed.err;
        EXPECT_EQ(rules_of(first()), first_before_);
        EXPECT_EQ(rules_of(second()), second_before_);
    }

    std::string first_before_, second_before_; // what others have there
};

INSTANTIATE_TEST_SUITE_P(First, SwitchedIptables, ::testing::Values("nft", "legacy"),
                         [](const ::testing::TestParamInfo<const char*>& row) { return std::string(row.param); });

TEST_P(SwitchedIptables, TheNextStartTakesAwayWhatACrashLeftWithTheOther)
{
    BothFamilies load(network);
    for (const char* when_down : {"pass", "reject"}) {
        SCOPED_TRACE(when_down);
        host_chooses(first());
        gateway.runs_with(closing(when_down));
        ASSERT_TRUE(load.are_inspected(3)) << gateway.log();
        EXPECT_EQ(backend(), name_of(first()));
        const int before = load.uninspected();
        gateway.is_killed();
        EXPECT_NE(rules_of(first()), first_before_);
        host_chooses(second());

        gateway.runs_with(closing(when_down));

        EXPECT_EQ(backend(), name_of(second()));
        EXPECT_EQ(rules_of(first()), first_before_);
        EXPECT_TRUE(load.are_inspected(5)) << gateway.log() << rules_of(second());
        if (std::string_view(when_down) == "reject") {
            EXPECT_EQ(load.uninspected(), before) << "closed";
        }
        gateway.stops();
        EXPECT_EQ(rules_of(first()), first_before_);
    }
    everything_goes();
}

TEST_P(SwitchedIptables, AnOrdinaryUserTakesThemAwayToo)
{
    gateway.runs_with(closing("pass", "redirect"));
    gateway.is_killed();
    EXPECT_NE(rules_of(first()), first_before_);
    host_chooses(second());
    gateway.runs_unprivileged_with(closing("pass"));
    EXPECT_EQ(backend(), name_of(second()));
    EXPECT_EQ(rules_of(first()), first_before_);
    gateway.stops();
    everything_goes();
}

TEST_P(SwitchedIptables, AGatewayThatRunsStaysWhereItIsAndTakesItsOwnAway)
{
    BothFamilies load(network);
    gateway.runs_with(closing("pass"));
    ASSERT_TRUE(load.are_inspected(3)) << gateway.log();
    host_chooses(second());
    gateway.reloads(closing("drop"));
    EXPECT_TRUE(load.are_inspected(3)) << gateway.log();
    EXPECT_EQ(status()["rules"].value("missing", "?"), "");
    EXPECT_EQ(status()["rules"].value("healed", 1), 0);
    EXPECT_EQ(rules_of(second()), second_before_);
    gateway.reloads(closing("pass"));
    gateway.stops();
    EXPECT_EQ(rules_of(first()), first_before_);
    EXPECT_EQ(rules_of(second()), second_before_);
}

} // namespace
} // namespace gw::lab
