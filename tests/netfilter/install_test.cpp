#include "netfilter/install.h"

#include "tests/netfilter/installing.h"
#include "tests/netfilter/plans.h"
#include "tests/support/lab_process.h"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <gtest/gtest.h>
#include <sys/wait.h>

using namespace gw;
using namespace gw::netfilter;
using namespace gw::netfilter::testing;

namespace {

Plan plan_for(std::vector<PortRange> ports, std::vector<std::string> present = {"lan0"})
{
    return make_plan({}, {capture("web", {"192.0.2.0/24", "2001:db8::/32"}, std::move(ports))}, std::move(present));
}
Plan small_plan() { return plan_for({{80, 80}}); }

class InstallTest : public Installing {
protected:
    std::string tables() { return host_.shell("nft list tables"); }
    /// After the death of their owner. The last one to close its socket may be somebody who looked at the process in
    /// that moment (/proc/PID/fd), so it need not be over when the process is.
    bool tables_go()
    {
        return lab::eventually([this] { return tables().empty(); }, lab::Milliseconds{1'000});
    }
    std::string ruleset() { return host_.shell("nft -s list ruleset"); }
    std::string policy()
    {
        return host_.shell(
            "ip -4 rule; ip -6 rule; ip -4 route show table 7373 2>&1; ip -6 route show table 7373 2>&1");
    }
    bool policy_is_clean()
    {
        return !has(host_.shell("ip -4 rule; ip -6 rule"), "7373") && !has(policy(), "local default");
    }
};

/// A process that installs and then does nothing.
class OtherGateway {
public:
    OtherGateway(const Namespace& host, const Plan& plan)
    {
        int ready[2];
        if (::pipe(ready) != 0) return;
        host.inside([&] {
            pid_ = ::fork();
            if (pid_ != 0) return;
            auto installer = Installer::open({});
            const bool installed = installer && (*installer)->sweep() && (*installer)->install(plan);
            const char answer = installed ? 'y' : 'n';
            if (::write(ready[1], &answer, 1) != 1) ::_exit(1);
            for (;;) ::pause();
        });
        char answer = 0;
        installed_ = ::read(ready[0], &answer, 1) == 1 && answer == 'y';
        ::close(ready[0]);
        ::close(ready[1]);
    }
    ~OtherGateway() { kill(); }
    bool installed() const { return installed_; }
    void kill()
    {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }

private:
    pid_t pid_ = -1;
    bool installed_ = false;
};

} // namespace

TEST_F(InstallTest, PutsThePlanIntoTheKernelAndTakesItAway)
{
    auto installer = open();
    ASSERT_TRUE(installer);
    const auto installed = installer->install(small_plan());
    ASSERT_TRUE(installed) << describe(installed.error());

    EXPECT_TRUE(has(ruleset(), "flags owner"));
    EXPECT_TRUE(has(ruleset(), "comment \"capture 1 IPv4 web\""));
    EXPECT_TRUE(has(ruleset(), "comment \"capture 1 IPv6 web\""));
    EXPECT_TRUE(has(host_.shell("ip -4 rule"), "from all fwmark 0x1000000/0x3000000 iif lan0"));
    EXPECT_TRUE(has(host_.shell("ip -6 rule"), "from all fwmark 0x1000000/0x3000000 iif lan0"));
    EXPECT_TRUE(has(host_.shell("ip -4 route show table 7373"), "local default dev lo proto kernel"));
    EXPECT_TRUE(has(host_.shell("ip -6 route show table 7373"), "local default dev lo proto kernel"));
    EXPECT_EQ(installer->missing().value(), "");

    ASSERT_TRUE(installer->remove());
    EXPECT_EQ(tables(), "");
    EXPECT_TRUE(policy_is_clean()) << policy();
}

TEST_F(InstallTest, GoesWhenTheInstallerIsDestroyed)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(small_plan()));
    installer.reset();
    EXPECT_EQ(tables(), "");
    EXPECT_TRUE(policy_is_clean()) << policy();
}

TEST_F(InstallTest, TwiceIsTheSameAsOnceAndAnEqualPlanIsNoTransaction)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(small_plan()));
    const auto rules = ruleset();
    const auto generation = [&] { return host_.shell("timeout 5 nft -j list tables; nft -a list ruleset"); };
    const auto handles = generation();

    auto moved = small_plan();
    moved.captures[0].intercept.where = {"gateway.yaml", 12, 3};
    ASSERT_TRUE(installer->install(moved));
    EXPECT_EQ(generation(), handles); // a new transaction would give the rules new handles

    ASSERT_TRUE(installer->install(plan_for({{81, 81}})));
    ASSERT_TRUE(installer->install(small_plan()));
    EXPECT_NE(generation(), handles);
    EXPECT_EQ(ruleset(), rules);
}

TEST_F(InstallTest, ReplacesWhatChangedAndNothingElse)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(plan_for({{80, 80}}, {"lan0", "lan1"})));
    ASSERT_TRUE(installer->install(plan_for({{443, 443}}, {"lan1", "lan2"})));

    EXPECT_FALSE(has(ruleset(), "dport 80"));
    EXPECT_TRUE(has(ruleset(), "dport 443"));
    EXPECT_FALSE(has(policy(), "iif lan0"));
    EXPECT_TRUE(has(policy(), "iif lan1"));
    EXPECT_TRUE(has(policy(), "iif lan2"));

    ASSERT_TRUE(installer->install(Plan{})); // nothing to capture: nothing is left
    EXPECT_EQ(tables(), "");
    EXPECT_TRUE(policy_is_clean());
}

TEST_F(InstallTest, VanishesTheMomentItsProcessIsKilledAndTheNextOneSweepsTheRest)
{
    OtherGateway other(host_, small_plan());
    ASSERT_TRUE(other.installed());
    ASSERT_TRUE(has(tables(), "gateway"));
    other.kill();

    EXPECT_TRUE(tables_go()) << ruleset();
    EXPECT_FALSE(policy_is_clean()); // policy rules do not go with a process
    host_.shell("ip rule add fwmark 0x1 lookup 7373 priority 500; ip rule add iif lan0 lookup 100 priority 773");
    auto installer = open();
    ASSERT_TRUE(installer && installer->sweep());
    EXPECT_FALSE(has(policy(), "773:	from all fwmark")) << policy();
    EXPECT_FALSE(has(policy(), "local default"));
    EXPECT_TRUE(has(policy(), "500:	from all fwmark 0x1 lookup 7373")); // not ours
    EXPECT_TRUE(has(policy(), "773:	from all iif lan0"));
}

TEST_F(InstallTest, LeavesNothingBehindWhenKilledAtAnyMoment)
{
    for (int round = 0; round < 40; ++round) {
        pid_t pid = -1;
        host_.inside([&] {
            pid = ::fork();
            if (pid != 0) return;
            auto installer = Installer::open({});
            for (std::uint16_t port = 1; installer; ++port)
                if (!(*installer)->install(plan_for({{port, port}}))) ::_exit(1);
            ::_exit(1);
        });
        std::this_thread::sleep_for(std::chrono::milliseconds(20 + 3 * round)); // the moment varies on purpose
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        ASSERT_TRUE(tables_go()) << "round " << round << '\n' << ruleset();
        auto installer = open();
        ASSERT_TRUE(installer) << "round " << round;
        const auto swept = installer->sweep();
        ASSERT_TRUE(swept) << "round " << round << ": " << describe(swept.error());
        ASSERT_TRUE(policy_is_clean()) << "round " << round << '\n' << policy();
    }
}

TEST_F(InstallTest, SurvivesAFlushOfAllRulesByOthers)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(small_plan()));
    const auto rules = ruleset();
    host_.shell("nft flush ruleset; nft delete table inet gateway; nft add rule inet gateway prerouting drop");
    EXPECT_EQ(ruleset(), rules);
    EXPECT_EQ(installer->missing().value(), "");
}

TEST_F(InstallTest, ASecondGatewayIsRefusedAndChangesNothing)
{
    OtherGateway other(host_, small_plan());
    ASSERT_TRUE(other.installed());
    const auto before = ruleset() + policy();

    auto second = open();
    ASSERT_TRUE(second);
    for (const auto& refused : {second->sweep(), second->install(plan_for({{443, 443}}, {"lan7"}))}) {
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().fault, Fault::denied);
        EXPECT_TRUE(has(refused.error().what, "owns table inet gateway")) << refused.error().what;
    }
    EXPECT_EQ(ruleset() + policy(), before);
    second.reset();
    EXPECT_EQ(ruleset() + policy(), before);
}

TEST_F(InstallTest, ATableOfOurNameMadeByHandIsNotTouched)
{
    host_.shell("nft add table inet gateway; nft add chain inet gateway mine");
    const auto before = ruleset();
    auto installer = open();
    ASSERT_TRUE(installer);
    const auto refused = installer->install(small_plan());
    ASSERT_FALSE(refused);
    EXPECT_TRUE(has(refused.error().what, "nft delete table inet gateway"));
    EXPECT_EQ(ruleset(), before);
    EXPECT_TRUE(policy_is_clean());
}

TEST_F(InstallTest, LeavesTablesAndRulesOfOthersAsTheyWere)
{
    host_.shell(
        "nft add table ip nat; nft 'add chain ip nat post { type nat hook postrouting priority 100; }';"
        "nft add rule ip nat post counter masquerade; nft add table inet filter;"
        "nft 'add chain inet filter input { type filter hook input priority 0; policy drop; }';"
        "nft 'add set inet filter s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 } }';"
        "ip rule add fwmark 0x80000/0xff0000 lookup 52 priority 5210; ip route add local 10.0.0.0/8 dev lo table 52;"
        "ip rule add from 10.0.0.1 lookup 52 priority 773 protocol kernel");
    const auto all = [&] {
        return host_.shell("nft -a list ruleset; ip -4 rule; ip -6 rule; ip route show table all; ip -6 route show "
                           "table all; sysctl -a 2>/dev/null | grep -E '^net.ipv[46].*(rp_filter|valid_mark|localnet|"
                           "forward|accept_local|nonlocal)'");
    };
    const auto before = all();
    auto installer = open();
    ASSERT_TRUE(installer && installer->sweep() && installer->install(small_plan()) &&
                installer->install(plan_for({{443, 443}})));
    EXPECT_NE(all(), before);
    installer.reset();
    EXPECT_EQ(all(), before);
}

TEST_F(InstallTest, LeavesAllAsItWasWhenTheKernelSaysNo)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(small_plan()));
    const auto before = ruleset() + policy();

    auto wrong = plan_for({{443, 443}}, {"lan0", "lan5"});
    wrong.settings.table = "not a name";
    EXPECT_FALSE(installer->install(wrong));
    EXPECT_EQ(ruleset() + policy(), before);

    auto star = small_plan();
    star.captures[0].intercept.interfaces = {"lan*"};
    EXPECT_EQ(installer->install(star).error().fault, Fault::refused);
    auto datagrams = small_plan();
    datagrams.captures[0].intercept.mode = Mode::redirect;
    datagrams.captures[0].intercept.transport = Transport::udp;
    EXPECT_EQ(installer->install(datagrams).error().fault, Fault::refused);
    EXPECT_EQ(ruleset() + policy(), before);
    EXPECT_EQ(installer->missing().value(), "");
}

TEST_F(InstallTest, UndoesThePolicyWhenTheRulesAreRefused)
{
    auto installer = open();
    ASSERT_TRUE(installer);
    auto wrong = small_plan();
    wrong.settings.table = "not a name";
    EXPECT_FALSE(installer->install(wrong));
    EXPECT_TRUE(policy_is_clean()) << policy();
    EXPECT_EQ(tables(), "");
}

TEST_F(InstallTest, SaysWhatIsMissingAndPutsItBack)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(small_plan()));
    for (const auto& [damage, missing] : {
             std::pair{"ip -4 rule del priority 773", "IPv4 policy rule from lan0"},
             {"ip -6 rule del priority 773", "IPv6 policy rule from lan0"},
             {"ip -4 route flush table 7373", "IPv4 local route"},
             {"ip -6 route del local default dev lo table 7373", "IPv6 local route"},
         }) {
        host_.shell(damage);
        EXPECT_EQ(installer->missing().value(), missing) << damage;
        ASSERT_TRUE(installer->install(small_plan())) << damage;
        EXPECT_EQ(installer->missing().value(), "") << damage;
    }
}

TEST_F(InstallTest, PutsBackATableThatIsGone)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(plan_for({{443, 443}})) && installer->install(small_plan()));
    const auto rules = ruleset();
    const pid_t child = ::fork(); // whose socket is the owner's, too: nobody else may do this
    if (child == 0) ::_exit(installer->remove() ? 0 : 1);
    int status = -1;
    ::waitpid(child, &status, 0);
    ASSERT_EQ(status, 0);
    ASSERT_EQ(tables(), "");
    EXPECT_EQ(installer->missing().value(), "table inet gateway");

    const auto again = installer->install(small_plan());
    ASSERT_TRUE(again) << describe(again.error());
    EXPECT_EQ(installer->missing().value(), "");
    ASSERT_TRUE(installer->install(plan_for({{81, 81}})));
    EXPECT_EQ(installer->missing().value(), "");
}

TEST_F(InstallTest, KeepsOneChainOfCapturesAfterEveryExchange)
{
    auto installer = open();
    ASSERT_TRUE(installer);
    for (const std::string_view used : {"captures_a", "captures_b", "captures_a", "captures_b"}) {
        const std::uint16_t port = used == "captures_a" ? 80 : 81;
        ASSERT_TRUE(installer->install(plan_for({{port, port}, {8000, 8010}})));
        EXPECT_TRUE(has(ruleset(), "jump " + std::string(used) + " comment")) << ruleset();
        EXPECT_FALSE(has(ruleset(), used == "captures_a" ? "captures_b" : "captures_a")) << ruleset();
    }
}

TEST_F(InstallTest, KeepsTheRulesInForceWhenNewOnesAreRefusedOrDoNotReadBack)
{
    auto installer = open();
    auto first = small_plan();
    std::erase_if(first.policy_rules, [](const PolicyRule& rule) { return rule.v6; });
    // Once with IPv6, so that its routing table exists before and after.
    ASSERT_TRUE(installer && installer->install(small_plan()) && installer->remove() && installer->install(first));
    const auto before = ruleset() + policy();

    EXPECT_FALSE(installer->install(plan_for({{443, 443}, {8010, 8000}}))); // nft: a range that ends before it starts
    EXPECT_EQ(ruleset() + policy(), before);

    auto unreadable = plan_for({{443, 443}});
    unreadable.settings.captured_mark = 0x03000000;
    unreadable.settings.route_table = 0; // the kernel chooses one itself
    std::erase_if(unreadable.policy_rules, [](const PolicyRule& rule) { return rule.v6; });
    const auto failed = installer->install(unreadable);
    ASSERT_FALSE(failed);
    EXPECT_TRUE(has(failed.error().what, "read back")) << failed.error().what;
    EXPECT_EQ(ruleset() + policy(), before);
    EXPECT_EQ(installer->missing().value(), "");
    EXPECT_TRUE(installer->install(plan_for({{443, 443}})));
}

TEST_F(InstallTest, InstallsManyNetworksListenersAndInterfaces)
{
    std::vector<Capture> captures;
    for (int index = 0; index < 50; ++index) {
        auto made = capture("listener " + std::to_string(index), {}, {{80, 80}, {443, 443}, {8000, 8080}});
        std::vector<Network> to;
        for (int net = 0; net < 200; ++net) {
            const auto text = "10." + std::to_string(index) + '.' + std::to_string(net) + ".0/25";
            to.push_back(Network::parse(text).value());
        }
        to.push_back(Network::parse("2001:db8:" + std::to_string(index) + "::/48").value());
        made.intercept.to = std::move(to);
        captures.push_back(std::move(made));
    }
    std::vector<std::string> present;
    for (int index = 0; index < 40; ++index) present.push_back("lan" + std::to_string(index));
    auto installer = open();
    ASSERT_TRUE(installer);
    const auto installed = installer->install(make_plan({}, captures, present));
    ASSERT_TRUE(installed) << describe(installed.error());
    EXPECT_EQ(installer->missing().value(), "");
}

TEST_F(InstallTest, KeepsItsTableWhileOthersChangeTheirsAllTheTime)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(small_plan()));
    std::thread others([&] {
        host_.shell("i=0; while [ $i -lt 60 ]; do nft add table inet t$i; nft delete table inet t$i; i=$((i+1)); done");
    });
    for (std::uint16_t port = 100; port < 200; ++port) {
        const auto installed = installer->install(plan_for({{port, port}}));
        EXPECT_TRUE(installed) << describe(installed.error());
    }
    others.join();
    EXPECT_EQ(installer->missing().value(), "");
}

TEST_F(InstallTest, DoesNotLetAChildKeepTheTableAlive)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(small_plan()));
    pid_t child = -1;
    host_.inside([&] {
        child = ::fork();
        if (child == 0) ::execlp("sleep", "sleep", "60", nullptr), ::_exit(1);
    });
    const std::string program = "/proc/" + std::to_string(child) + "/exe";
    std::error_code failed;
    while (std::filesystem::read_symlink(program, failed).filename() == "netfilter_tests") std::this_thread::yield();
    ASSERT_FALSE(failed) << failed.message();
    const auto sockets = host_.shell("ls -l /proc/" + std::to_string(child) + "/fd | grep -c socket");
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    EXPECT_EQ(sockets, "0\n");
}

TEST_F(InstallTest, WithoutPrivilegeSaysHowToGetIt)
{
    pid_t child = ::fork();
    if (child == 0) {
        if (::setuid(65534) != 0) ::_exit(3);
        const auto opened = Installer::open({});
        const bool said = !opened && opened.error().fault == Fault::denied && has(opened.error().what, "run as root");
        ::_exit(said ? 0 : 1);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}
