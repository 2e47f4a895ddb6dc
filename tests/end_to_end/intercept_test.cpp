// What is taken over and what is not, whose address the server sees, and what is left when the gateway has gone.

#include "tests/end_to_end/scene.h"

#include <csignal>

namespace gw::lab {
namespace {

TEST_F(Appliance, ShowsTheServerTheClientsOwnAddressOverIpv4AndIpv6)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting());

    const auto v4 = network.client("10.0.1.3").asks("http://site.example/v4");
    const auto v6 = network.client("fd00:1::3").asks("http://site.example/v6");

    EXPECT_EQ(v4.status, 200) << v4.said;
    EXPECT_EQ(v6.status, 200) << v6.said;
    const auto log = site.log(2);
    EXPECT_EQ(log[0].value("client", ""), "10.0.1.3");
    EXPECT_EQ(log[1].value("client", ""), "fd00:1::3");
    const auto record = gateway.request_record("/v6");
    EXPECT_EQ(record.value("listener", ""), "web");
    EXPECT_EQ(record.value("destination", ""), "[fd00:2::10]:80");
    EXPECT_TRUE(record.value("source_kept", false));
    EXPECT_EQ(gateway.request_record("/v4").value("host", ""), "site.example");
}

TEST_F(Appliance, TakesOverEachListenersPortsAndRanges)
{
    WebServer site(network, "site.example", 10);
    Origin low(network.servers(), "10.0.2.11:8000", echoes()), high(network.servers(), "10.0.2.11:8100", echoes());
    gateway.runs_with(R"(
listeners:
  - {name: first, intercept: {to: [10.0.2.10], ports: [80]}}
  - {name: second, intercept: {to: [10.0.2.0/24], ports: [8000-8100]}}
)");
    const auto client = network.client("10.0.1.2");

    EXPECT_EQ(client.asks("http://10.0.2.10/one").status, 200);
    EXPECT_EQ(client.asks("http://10.0.2.11:8000/two").status, 200);
    EXPECT_EQ(client.asks("http://10.0.2.11:8100/three").status, 200);

    EXPECT_EQ(gateway.request_record("/one").value("listener", ""), "first");
    EXPECT_EQ(gateway.request_record("/two").value("listener", ""), "second");
    EXPECT_EQ(gateway.request_record("/three").value("listener", ""), "second");
}

TEST_F(Appliance, LeavesEverythingElseUntouched)
{
    WebServer site(network, "site.example", 10), other(network, "other.example", 11),
        excepted(network, "ex.example", 12);
    gateway.runs_with(R"(
listeners:
  - intercept: {to: [10.0.2.10, 10.0.2.12], ports: [80], except: {from: [10.0.1.9], to: [10.0.2.12]}}
)");
    const auto client = network.client("10.0.1.2");

    EXPECT_EQ(client.asks("http://other.example/other-address").status, 200);
    EXPECT_EQ(client.asks("http://site.example:8080/other-port").status, 200);
    EXPECT_EQ(client.asks("http://ex.example/excepted-server").status, 200);
    EXPECT_EQ(network.client("10.0.1.9").asks("http://site.example/excepted-client").status, 200);
    EXPECT_EQ(network.client("fd00:1::2").asks("http://site.example/other-family").status, 200);
    EXPECT_EQ(client.asks("http://site.example/taken").status, 200);

    gateway.request_record("/taken");
    EXPECT_EQ(gateway.records().size() > 2, false) << "more than one connection was taken over";
    for (const auto& line : site.log(4))
        EXPECT_EQ(line.value("forwarded_for", ""), line.value("target", "") == "/taken" ? "10.0.1.2" : "") << line;
    EXPECT_EQ(other.log(1)[0].value("client", ""), "10.0.1.2");
}

TEST_F(Appliance, TakesOverOnlyOnTheInterfacesNamed)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with("listeners: [{intercept: {interfaces: [outside], to: [10.0.2.0/24], ports: [80]}}]");

    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/").status, 200);

    EXPECT_EQ(site.log(1)[0].value("forwarded_for", ""), "");
    EXPECT_TRUE(gateway.records().empty());
}

TEST_F(Appliance, ShowsTheServerItsOwnAddressWhereAskedTo)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting("", "client_address: gateway"));

    EXPECT_EQ(network.client("10.0.1.3").asks("http://site.example/").status, 200);
    EXPECT_EQ(network.client("fd00:1::3").asks("http://site.example/").status, 200);

    const auto log = site.log(2);
    EXPECT_EQ(log[0].value("client", ""), "10.0.2.1");
    EXPECT_EQ(log[0].value("forwarded_for", ""), "10.0.1.3");
    EXPECT_EQ(log[1].value("client", ""), "fd00:2::1");
    EXPECT_EQ(log[1].value("forwarded_for", ""), "fd00:1::3");
}

TEST_F(Appliance, ServesBoundListenersBesideInterceptedOnes)
{
    Origin origin(network.servers(), "10.0.2.11:9000", echoes());
    gateway.runs_with(intercepting(R"(
  - {name: public, bind: ["10.0.1.1:8000", "[fd00:1::1]:8000"]}
routes:
  - {host: shop.example, listeners: [public], to: "http://10.0.2.11:9000/"}
)"));

    const auto v4 = network.client("10.0.1.2").asks("http://10.0.1.1:8000/a", {"-H", "Host: shop.example"});
    const auto v6 = network.client("fd00:1::2").asks("http://[fd00:1::1]:8000/b", {"-H", "Host: shop.example"});
    const auto unknown = network.client("10.0.1.2").asks("http://10.0.1.1:8000/c", {"-H", "Host: other.example"});

    EXPECT_THAT(v4.body, StartsWith("GET /a HTTP/1.1\r\n"));
    EXPECT_THAT(v6.body, HasSubstr("X-Forwarded-For: fd00:1::2\r\n"));
    EXPECT_EQ(unknown.status, 404);
    EXPECT_EQ(origin.client_of(0).address.text(), "10.0.2.1");
}

// --- loops and its own addresses

std::vector<std::string> listening_ports(const Network& network)
{
    std::istringstream lines(run_well({"ss", "-Htln"}, network.gateway().place()));
    std::vector<std::string> found;
    std::string state, receive, send, address, peer;
    while (lines >> state >> receive >> send >> address >> peer) {
        const auto port = address.substr(address.rfind(':') + 1);
        if (std::find(found.begin(), found.end(), port) == found.end()) found.push_back(port);
    }
    return found;
}

TEST_F(Appliance, RefusesWhoDialsAListenersPortItself)
{
    gateway.runs_with(intercepting());
    const auto ports = listening_ports(network);
    ASSERT_FALSE(ports.empty());

    for (const auto& port : ports) {
        EXPECT_EQ(network.client("10.0.1.2").dials("10.0.1.1:" + port).error(), ECONNREFUSED) << port;
        auto inside = network.gateway().dials(Endpoint::parse("127.0.0.1:" + port).value(), {});
        if (!inside.connected()) continue; // the port of the other family
        inside.sends(request("GET", "/loop", "127.0.0.1:" + port));
        EXPECT_EQ(inside.receives_all(), "");
        const auto record = gateway.connection_record("127.0.0.1");
        EXPECT_EQ(record.value("end", ""), "denied") << record;
    }
}

TEST_F(Appliance, NeverDialsItselfForAClient)
{
    // A service of the gateway's host, on an address and port that a listener covers.
    Origin service(network.gateway(), "10.0.2.1:8000", echoes());
    gateway.runs_with(intercepting());

    // Allowed or not is a matter for the host's own rules; but never through us, with the gateway's rights.
    network.client("10.0.1.2").asks("http://10.0.2.1:8000/", {"--max-time", "3"});

    EXPECT_THAT(service.received(), Not(HasSubstr("X-Forwarded-For")));
    for (const auto& record : gateway.records()) EXPECT_NE(record.value("upstream", ""), "10.0.2.1:8000") << record;
}

// --- what is left behind

TEST_F(Appliance, LetsTrafficGoOnWhenItIsKilled)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting());
    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/before").status, 200);
    EXPECT_FALSE(gateway.rules().empty());

    gateway.is_killed();

    EXPECT_EQ(gateway.rules(), "");
    for (const auto* address : {"10.0.1.2", "fd00:1::2"}) {
        const auto answer = network.client(address).asks("http://site.example/after");
        EXPECT_EQ(answer.status, 200) << answer.said;
    }
    const auto log = site.log(3);
    EXPECT_EQ(log[1].value("client", ""), "10.0.1.2");
    EXPECT_EQ(log[1].value("forwarded_for", ""), "");
}

TEST_F(Appliance, EndsWithItsKeeper)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting("waf: {mode: detect}"));

    gateway.process().signal(SIGKILL);
    gateway.process().wait();

    EXPECT_TRUE(eventually([] { return orphans().empty(); })) << "processes went on without their keeper";
    EXPECT_EQ(gateway.rules(), "");
    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/").status, 200);
}

TEST_F(Appliance, LeavesNothingInTheKernelWhenItStops)
{
    WebServer site(network, "site.example", 10);
    const auto before = gateway.kernel_state();
    gateway.runs_with(intercepting("waf: {mode: detect}"));
    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/").status, 200);
    EXPECT_NE(gateway.kernel_state(), before);

    gateway.stops();

    EXPECT_EQ(gateway.kernel_state(), before);
    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/").status, 200);
}

TEST_F(Appliance, SweepsWhatAKilledOneLeft)
{
    const auto before = gateway.kernel_state();
    for (int round = 0; round < 3; ++round) {
        gateway.runs_with(intercepting());
        gateway.is_killed();
    }
    gateway.runs_with(intercepting());
    gateway.stops();
    EXPECT_EQ(gateway.kernel_state(), before);
}

TEST_F(Appliance, TouchesNobodyElsesRules)
{
    run_well(
        {"sh", "-c",
         "nft add table inet foreign && nft 'add chain inet foreign c { type filter hook forward priority 0; }' && "
         "nft add rule inet foreign c counter accept && ip rule add fwmark 0x80000/0xff0000 lookup 52 priority 5210"},
        network.gateway().place());
    const auto before = gateway.kernel_state();
    gateway.runs_with(intercepting());
    gateway.stops();
    EXPECT_EQ(gateway.kernel_state(), before);
}

TEST_F(Appliance, KeepsItsRulesWhenSomebodyFlushesEverything)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting());

    run_well({"nft", "flush", "ruleset"}, network.gateway().place());

    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/after-flush").status, 200);
    EXPECT_EQ(gateway.request_record("/after-flush").value("status", 0), 200);
}

TEST_F(Appliance, RefusesToRunBesideAnotherOne)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting());
    Gateway second(network);

    const auto refused = second.refuses(intercepting());

    EXPECT_FALSE(refused.err.empty());
    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/still").status, 200);
    gateway.request_record("/still");
}

TEST_F(Appliance, RunsAsAnOrdinaryUserWithThreeCapabilities)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_unprivileged_with(intercepting("waf: {mode: block}"));

    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/plain").status, 200);
    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/?q=%27+or+1%3D1--+").status, 403);

    EXPECT_EQ(site.last_client(), "10.0.1.2");
    for (const int id : gateway.process_ids("gateway-inspector"))
        EXPECT_THAT(read_file("/proc/" + std::to_string(id) + "/status"), HasSubstr("CapEff:\t0000000000000000"));
}

TEST_F(Appliance, SaysWhatItLacksWithoutPrivilege)
{
    Process::Place place = network.gateway().place();
    gateway.is_given(intercepting());
    place.user = 64'321;
    const auto refused = run({Gateway::program_file("gatewayd"), "--config", gateway.configuration_file()}, place);
    EXPECT_NE(refused.exit_code, 0);
    EXPECT_THAT(refused.err, ::testing::AnyOf(HasSubstr("CAP_NET"), HasSubstr("root"), HasSubstr("rivilege"),
                                              HasSubstr("ermission")));
}

TEST_F(Appliance, NeedsNoNamesOfProtocolsOnItsHost)
{
    // Small systems have no /etc/protocols.
    gateway.is_given("listeners:\n"
                     "  - {name: web, intercept: {to: [10.0.2.0/24], ports: [80], when_down: reject}}\n"
                     "  - {name: names, protocol: udp, intercept: {to: [10.0.2.0/24], transport: udp, ports: [53]}}\n");
    const auto shown = gateway.program("gatewayd", {"--config", gateway.configuration_file(), "--show-rules"});
    ASSERT_EQ(shown.exit_code, 0) << shown.err;
    const auto checked = run(
        {"unshare", "--mount", "sh", "-c",
         "mount --bind /dev/null /etc/protocols && printf %s \"$0\" | grep -v ^ip | nft --check --file -", shown.out},
        network.gateway().place());
    EXPECT_EQ(checked.exit_code, 0) << checked.err;
}

} // namespace
} // namespace gw::lab
