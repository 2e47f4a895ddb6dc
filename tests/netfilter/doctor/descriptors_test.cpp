#include "netfilter/doctor/descriptors.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace gw::doctor {
namespace {

constexpr std::size_t needed = 200'000;
constexpr std::size_t enough = 1'048'576;

TEST(UnitLimit, IsTheHardOneOfTheLastLine)
{
    EXPECT_EQ(unit_limit_in("[Service]\nLimitNOFILE=1048576\nLimitCORE=0\n", 0), 1'048'576U);
    EXPECT_EQ(unit_limit_in("LimitNOFILE=1024:4096", 0), 4'096U);
    EXPECT_EQ(unit_limit_in("LimitNOFILE=10\nLimitNOFILE=20\n", 0), 20U);
    EXPECT_EQ(unit_limit_in("LimitNOFILE=infinity\n", 5'000), 5'000U);
    for (const auto* without :
         {"", "[Service]\n", "#LimitNOFILE=5\n", "LimitNOFILE=5\nLimitNOFILE=\n", "LimitNOFILE=x"})
        EXPECT_FALSE(unit_limit_in(without, 0)) << without;
}

struct Case {
    const char* what;
    DescriptorLimit limit;
    const char* mend;
};

TEST(Descriptors, AreRaisedByWhoeverHoldsThemDown)
{
    const std::string drop_in = "LimitNOFILE=200000\\n' > /etc/systemd/system/gateway.service.d/files.conf";
    const Case cases[] = {
        {"the unit", {1'024, enough, true, 1'024, ""}, drop_in.c_str()},
        {"a unit that says nothing", {524'288, enough, true, {}, ""}, drop_in.c_str()},
        {"the unit, in a container", {1'024, enough, true, 1'024, "lxc"}, drop_in.c_str()},
        {"a unit that was changed since",
         {1'024, enough, true, enough, ""},
         "systemctl daemon-reload && systemctl restart"},
        {"a container around systemd", {1'024, enough, true, enough, "lxc"}, "lxc.prlimit.nofile = 200000"},
        {"another", {1'024, enough, true, enough, "systemd-nspawn"}, "systemd-nspawn --rlimit=RLIMIT_NOFILE=200000"},
        {"a container", {1'024, enough, false, {}, "docker"}, "docker run --ulimit nofile=200000:200000"},
        {"one nobody knows", {1'024, enough, false, {}, "new"}, "(new): a hard limit of 200000 open files"},
        {"a shell", {1'024, enough, false, {}, ""}, "ulimit -Hn 200000"},
    };
    for (const auto& each : cases) {
        const auto mend = how_to_raise(each.limit, needed);
        EXPECT_NE(mend.find(each.mend), std::string::npos) << each.what << ": " << mend;
        EXPECT_EQ(mend.find("nr_open"), std::string::npos) << each.what << ": " << mend;
    }
}

TEST(Descriptors, AreNoMoreThanTheKernelLetsAnyProcessHave)
{
    DescriptorLimit limit{65'536, 65'536, true, enough, ""};
    EXPECT_EQ(how_to_raise(limit, needed),
              "sysctl -w fs.nr_open=200000 && systemctl daemon-reload && systemctl restart gateway");
    limit.container = "docker";
    EXPECT_TRUE(how_to_raise(limit, needed).starts_with("on the host: sysctl -w fs.nr_open=200000; then docker run"));
}

TEST(Descriptors, OfThisProcessAreItsHardLimit)
{
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    const auto found = descriptor_limit_of_this_process();
    EXPECT_EQ(found.hard, limit.rlim_max) << "what the soft one is does not matter: the daemon raises it";
    EXPECT_GE(found.kernel_most, found.hard);
}

} // namespace
} // namespace gw::doctor
