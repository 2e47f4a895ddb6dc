// What each process of the running gateway may still do, read from the kernel.

#include "tests/end_to_end/scene.h"

#include <csignal>

namespace gw::lab {

namespace {

/// A field of /proc/PID/status.
std::string of_process(int process, std::string_view field)
{
    const auto text = read_file("/proc/" + std::to_string(process) + "/status");
    const auto at = text.find("\n" + std::string{field} + ":\t");
    if (at == std::string::npos) return "";
    const auto from = at + field.size() + 3;
    return text.substr(from, text.find('\n', from) - from);
}

constexpr auto net_raw_only = "0000000000002000";
constexpr auto none = "0000000000000000";

TEST_F(Appliance, TheDataProcessHoldsNothingButTheRightToUseAClientsAddress)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting("waf: {mode: block}\n"));
    const auto data = gateway.process_ids("gateway-data").at(0);
    EXPECT_EQ(of_process(data, "CapPrm"), net_raw_only);
    EXPECT_EQ(of_process(data, "CapEff"), net_raw_only);
    EXPECT_EQ(of_process(data, "CapBnd"), none);
    EXPECT_EQ(of_process(data, "CapAmb"), none);
    EXPECT_EQ(of_process(data, "NoNewPrivs"), "1");
    EXPECT_EQ(of_process(data, "Seccomp"), "2") << "a filter";
    EXPECT_THAT(of_process(data, "Uid"), Not(StartsWith("0")));
    EXPECT_THAT(of_process(data, "Groups"), ::testing::AnyOf("", " "));

    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/").status, 200);
    EXPECT_EQ(site.last_client(), "10.0.1.2");
}

// CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE: what systemd/gateway.service grants.
constexpr auto of_the_unit = "0000000000003400";
// And CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP, for a data process that is another user.
constexpr auto of_the_unit_and_for_another_user = "00000000000035e0";

TEST_F(Appliance, TheKeeperThatRootStartsHoldsLittleOfRootsPowers)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting("waf: {mode: block}\nlimits: {connections: 5000}\n"));
    const auto keeper = gateway.process().id();
    for (const auto* set : {"CapPrm", "CapEff", "CapBnd"})
        EXPECT_EQ(of_process(keeper, set), of_the_unit_and_for_another_user) << set;
    EXPECT_EQ(of_process(keeper, "CapAmb"), none);
    EXPECT_EQ(of_process(keeper, "NoNewPrivs"), "1");
    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/").status, 200);
    gateway.reloads(intercepting("waf: {mode: detect}\nlimits: {connections: 5000}\n"));
    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/").status, 200);
    ASSERT_EQ(gateway.ctl({"upgrade"}).exit_code, 0) << gateway.log();
    const auto successor = Json::parse(gateway.ctl({"status", "--json"}).out).value("pid", -1);
    EXPECT_EQ(of_process(successor, "CapBnd"), of_the_unit_and_for_another_user);
    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/").status, 200);
    ::kill(successor, SIGTERM);
    EXPECT_TRUE(eventually([] { return orphans().empty(); }));
}

TEST_F(Appliance, TheKeeperOfTheUnitHoldsWhatTheUnitGrants)
{
    gateway.runs_unprivileged_with(intercepting("waf: {mode: block}\n"));
    for (const auto* set : {"CapPrm", "CapEff", "CapBnd", "CapAmb"})
        EXPECT_EQ(of_process(gateway.process().id(), set), of_the_unit) << set;
}

TEST_F(Appliance, TheControlSocketIsGivenToItsGroupWithoutTheRightToGiveAnythingAway)
{
    const Folder folder;
    const auto socket = folder.path("control.sock");
    gateway.runs_with("listeners: []\nadmin: {socket: " + socket + ", group: daemon}\n");
    EXPECT_EQ(run_well({"stat", "-c", "%U %G %a", socket}), "root daemon 660\n");
}

TEST_F(Appliance, TheDataProcessMayNotUseTheControlSocket)
{
    gateway.runs_with("listeners: []\n"); // the socket is given to the group `gateway`, where there is one
    const auto data = gateway.process_ids("gateway-data").at(0);
    EXPECT_EQ(of_process(data, "Gid"), "65534\t65534\t65534\t65534");
    const auto user = of_process(data, "Uid");
    const auto asked = run({"setpriv", "--reuid", user.substr(0, user.find('\t')), "--regid", "65534", "--clear-groups",
                            Gateway::program_file("gatewayctl"), "--socket", gateway.socket_file(), "status"},
                           network.gateway().place());
    EXPECT_NE(asked.exit_code, 0);
    EXPECT_THAT(asked.err, HasSubstr("no permission"));
}

TEST_F(Appliance, AnInspectorHoldsNothingAtAll)
{
    gateway.runs_with(intercepting("waf: {mode: block}\n"));
    const auto inspectors = gateway.process_ids("gateway-inspect");
    ASSERT_FALSE(inspectors.empty());
    for (const int inspector : inspectors) {
        EXPECT_EQ(of_process(inspector, "CapPrm"), none);
        EXPECT_EQ(of_process(inspector, "CapBnd"), none);
        EXPECT_EQ(of_process(inspector, "Seccomp"), "2");
        EXPECT_THAT(of_process(inspector, "Uid"), Not(StartsWith("0")));
    }
}

TEST_F(Appliance, AnAccessLogThatCannotBeOpenedIsRefusedByName)
{
    const auto refused = gateway.refuses("listeners: []\nlogs: {access: {to: /nowhere/at/all.log}}\n");
    EXPECT_THAT(refused.err, HasSubstr("/nowhere/at/all.log"));
}

TEST_F(Appliance, WritesAnAccessLogIntoAFolderOnlyRootMayEnter)
{
    const Folder folder;
    std::filesystem::permissions(folder.path(), std::filesystem::perms{0700});
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting("logs: {access: {to: " + folder.path("access.log") + "}}\n"));
    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/here").status, 200);
    gateway.stops();
    EXPECT_THAT(read_file(folder.path("access.log")), HasSubstr("/here"));
}

} // namespace
} // namespace gw::lab
