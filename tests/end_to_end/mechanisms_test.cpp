// Every way connections can be led here: the destination is recovered by the one method that is right, in both
// families.

#include "tests/end_to_end/mechanisms.h"

#include <optional>

namespace gw::lab {
namespace {

enum class Family { v4, v6, mapped, v6_on_dual };

struct Way {
    std::string name;
    std::string mode;
    std::optional<ByHand> by_hand;
    Family family;
    bool conntrack = true;
    std::string recovered;
};

std::vector<Way> all_ways()
{
    struct Mechanism {
        std::string name, mode;
        std::optional<ByHand> by_hand;
        bool needs_conntrack;
        std::string recovered;
    };
    const std::vector<Mechanism> mechanisms{
        {"Tproxy", "tproxy", std::nullopt, false, "socket_name"},
        {"Redirect", "redirect", std::nullopt, true, "conntrack"},
        {"TproxyByHand", "external", ByHand::tproxy, false, "socket_name"},
        {"DnatByHand", "external", ByHand::dnat, true, "conntrack"},
        {"RedirectByHand", "external", ByHand::redirect, true, "conntrack"},
    };
    std::vector<Way> ways;
    for (const auto& each : mechanisms)
        for (const auto family : {Family::v4, Family::v6, Family::mapped, Family::v6_on_dual})
            for (const bool conntrack : {true, false}) {
                if (!conntrack && each.needs_conntrack) continue;
                const bool dual = family == Family::mapped || family == Family::v6_on_dual;
                if (dual && !each.by_hand) continue; // our own sockets are of one family each
                const auto* of_family = family == Family::v4       ? "V4"
                                        : family == Family::v6     ? "V6"
                                        : family == Family::mapped ? "Mapped"
                                                                   : "V6OnDual";
                ways.push_back({each.name + of_family + (conntrack ? "Tracked" : "Untracked"), each.mode, each.by_hand,
                                family, conntrack, each.recovered});
            }
    return ways;
}

class EveryWay : public Appliance, public ::testing::WithParamInterface<Way> {};

TEST_P(EveryWay, RecoversTheDestinationAndKeepsTheClient)
{
    const auto& way = GetParam();
    const bool v6 = way.family == Family::v6 || way.family == Family::v6_on_dual;
    const bool dual = way.family == Family::mapped || way.family == Family::v6_on_dual;
    const std::string server = v6 ? "[fd00:2::11]:8000" : "10.0.2.11:8000";
    const std::string client = v6 ? "fd00:1::3" : "10.0.1.3";
    Origin origin(network.servers(), server, echoes());
    if (way.conntrack) tracks_connections(network.gateway());
    if (way.by_hand) somebody_leads_here(network, *way.by_hand);
    const auto* bind = !way.by_hand ? "" : dual ? "[\"[::]:15001\"]" : "[\"0.0.0.0:15001\", \"[::]:15001\"]";
    gateway.runs_with(by_mode(way.mode, bind));

    const auto answer = network.client(client).asks("http://" + server + "/way");

    EXPECT_EQ(answer.status, 200) << answer.said << gateway.log();
    EXPECT_THAT(answer.body, StartsWith("GET /way HTTP/1.1\r\n"));
    EXPECT_EQ(origin.client_of(0).address.text(), client);
    const auto record = gateway.connection_record(client);
    EXPECT_EQ(record.value("destination", ""), server) << record;
    EXPECT_EQ(record.value("recovered", ""), way.recovered) << record;
    EXPECT_EQ(gateway.request_record("/way").value("source", ""), "kept");
}

INSTANTIATE_TEST_SUITE_P(Led, EveryWay, ::testing::ValuesIn(all_ways()),
                         [](const auto& each) { return each.param.name; });

// --- packets in pieces

class InPieces : public Appliance, public ::testing::WithParamInterface<const char*> {};

TEST_P(InPieces, AConnectionIsInspectedAllTheSame)
{
    Origin origin(network.servers(), "10.0.2.11:8000", answers(answer(200, "whole")));
    const Pieces client(network);
    gateway.runs_with(by_mode(GetParam()));

    auto socket = client.dials("10.0.2.11:8000");
    const auto long_head = request("GET", "/pieces", "a.example", "X-Long: " + std::string(4'000, 'x') + "\r\n");
    ASSERT_TRUE(socket.connected() && socket.sends(long_head));

    EXPECT_EQ(receive_message(socket).body, "whole") << gateway.log();
    EXPECT_EQ(gateway.request_record("/pieces").value("status", 0), 200);
    EXPECT_GT(client.sent(), 0) << "nothing was taken to pieces";
}

INSTANTIATE_TEST_SUITE_P(Tcp, InPieces, ::testing::Values("tproxy", "redirect"),
                         [](const auto& row) { return std::string(row.param); });

// --- redirect

TEST_F(Appliance, RefusesWhoDialsARedirectListenerItself)
{
    Origin origin(network.servers(), "10.0.2.11:8000", echoes());
    gateway.runs_with(by_mode("redirect"));
    std::istringstream lines(run_well({"ss", "-Htln"}, network.gateway().place()));
    std::vector<std::string> ports;
    for (std::string state, receive, send, address, peer; lines >> state >> receive >> send >> address >> peer;)
        ports.push_back(address.substr(address.rfind(':') + 1));
    ASSERT_GE(ports.size(), 2u) << "a listener for each family";

    for (const auto& port : ports) {
        EXPECT_EQ(network.client("10.0.1.2").dials("10.0.1.1:" + port).error(), ECONNREFUSED) << port;
        EXPECT_EQ(network.client("fd00:1::2").dials("[fd00:1::1]:" + port).error(), ECONNREFUSED) << port;
        EXPECT_EQ(network.gateway().dials(*Endpoint::parse("127.0.0.1:" + port), {}).error(), ECONNREFUSED) << port;
    }

    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11:8000/through").status, 200);
    gateway.request_record("/through");
    for (const auto& record : gateway.records()) EXPECT_NE(record.value("end", ""), "denied") << record;
}

TEST_F(Appliance, RedirectsTwoConnectionsFromOnePortToTwoServers)
{
    Origin first(network.servers(), "10.0.2.11:8000", echoes_lines());
    Origin second(network.servers(), "10.0.2.12:8000", echoes_lines());
    gateway.runs_with(by_mode("redirect"));
    const auto client = network.client("10.0.1.2");

    auto one = client.dials("10.0.2.11:8000", 41'000);
    auto two = client.dials("10.0.2.12:8000", 41'000);

    EXPECT_TRUE(talks(one));
    EXPECT_TRUE(talks(two));
    EXPECT_EQ(first.connections(), 1u);
    EXPECT_EQ(second.connections(), 1u);
}

TEST_F(Appliance, RedirectDoesNotStallAServerThatSpeaksFirst)
{
    Origin mail(network.servers(), "10.0.2.11:25", [](Origin::Connection& connection) {
        connection.sends("220 mail.example\r\n");
        connection.receives_all();
    });
    gateway.runs_with(by_mode("redirect"));

    auto client = network.client("10.0.1.2").dials("10.0.2.11:25");

    EXPECT_EQ(client.receives_until("\r\n"), "220 mail.example\r\n");
}

TEST_F(Appliance, CarriesOnRedirectedConnectionsOverAReload)
{
    Origin origin(network.servers(), "10.0.2.11:8000", echoes_lines());
    gateway.runs_with(by_mode("redirect"));
    auto before = network.client("10.0.1.2").dials("10.0.2.11:8000");
    ASSERT_TRUE(talks(before));

    gateway.reloads(by_mode("redirect", "", "client_address: gateway"));
    EXPECT_TRUE(talks(before)) << "after another redirect";
    gateway.reloads(by_mode("tproxy"));
    EXPECT_TRUE(talks(before)) << "after tproxy";

    auto after = network.client("10.0.1.3").dials("10.0.2.11:8000");
    EXPECT_TRUE(talks(after));
    after.closes();
    EXPECT_EQ(gateway.connection_record("10.0.1.3").value("recovered", ""), "socket_name");
}

TEST_F(Appliance, GivesEachConnectionToTheFirstListenerWhateverItsMode)
{
    Origin one(network.servers(), "10.0.2.11:8000", echoes()), two(network.servers(), "10.0.2.12:8000", echoes());
    gateway.runs_with(R"(
listeners:
  - {name: first, intercept: {mode: redirect, to: [10.0.2.11], ports: [8000]}}
  - {name: second, intercept: {mode: tproxy, to: [10.0.2.0/24], ports: [8000]}}
  - {name: third, intercept: {mode: redirect, to: [10.0.2.0/23], ports: [8000]}}
)");
    const auto client = network.client("10.0.1.2");

    EXPECT_EQ(client.asks("http://10.0.2.11:8000/one").status, 200);
    EXPECT_EQ(client.asks("http://10.0.2.12:8000/two").status, 200);

    EXPECT_EQ(gateway.request_record("/one").value("listener", ""), "first");
    EXPECT_EQ(gateway.request_record("/two").value("listener", ""), "second");
}

TEST_F(Appliance, LeavesNothingOfARedirectInTheKernelWhenItStops)
{
    Origin origin(network.servers(), "10.0.2.11:8000", echoes());
    const auto before = gateway.kernel_state();
    gateway.runs_with(by_mode("redirect", "", "client_address: keep_with_port"));
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11:8000/").status, 200);

    gateway.stops();

    EXPECT_EQ(gateway.kernel_state(), before);
}

TEST_F(Appliance, RedirectsBesideOthersMasquerading)
{
    Origin origin(network.servers(), "10.0.2.11:8000", echoes());
    somebody_adds(network.gateway(), "table ip hand { chain c { type nat hook postrouting priority srcnat;\n"
                                     "oifname \"outside\" masquerade\n}\n}\n");
    gateway.runs_with(by_mode("redirect"));

    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11:8000/").status, 200);

    EXPECT_EQ(origin.client_of(0).address.text(), "10.0.2.1") << "what others' rules say holds";
}

// --- what others' settings do

TEST_F(Appliance, WorksWithSrcValidMarkInEveryMode)
{
    Origin origin(network.servers(), "10.0.2.11:8000", echoes());
    for (const char* one : {"all", "inside", "outside"}) {
        network.gateway().sets("net/ipv4/conf/" + std::string(one) + "/src_valid_mark", "1");
        network.gateway().sets("net/ipv4/conf/" + std::string(one) + "/rp_filter", "0");
    }
    gateway.runs_with(by_mode("tproxy"));
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11:8000/tproxy").status, 200);
    gateway.reloads(by_mode("redirect"));
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11:8000/redirect").status, 200);
}

TEST_F(Appliance, LetsNobodyReachLoopbackFromTheNetwork)
{
    gateway.runs_with(by_mode("redirect", "", "client_address: keep_with_port",
                              "  - {name: other, intercept: {to: [10.0.3.0/24], ports: [80]}}\n"));
    for (const char* one : {"all", "default", "inside", "outside"}) {
        std::string set;
        network.gateway().inside(
            [&] { set = read_file("/proc/sys/net/ipv4/conf/" + std::string(one) + "/route_localnet"); });
        EXPECT_EQ(set, "0\n") << one;
    }
    // A neighbour that sends packets for 127.0.0.1 over the wire.
    network.clients().sets("net/ipv4/conf/net0/route_localnet", "1");
    run_well({"sh", "-c",
              "ip route del local 127.0.0.0/8 dev lo table local; ip route del local 127.0.0.1 dev lo table local; "
              "ip route add 127.0.0.0/8 via 10.0.1.1 dev net0"},
             network.clients().place());

    std::istringstream lines(run_well({"ss", "-Htln4"}, network.gateway().place()));
    int tried = 0;
    for (std::string state, receive, send, address, peer; lines >> state >> receive >> send >> address >> peer;) {
        const auto port = address.substr(address.rfind(':') + 1);
        const auto dialled = network.client("10.0.1.2").dials("127.0.0.1:" + port, 0, Milliseconds{300});
        EXPECT_FALSE(dialled.connected()) << port;
        ++tried;
    }
    EXPECT_GE(tried, 2);
}

} // namespace
} // namespace gw::lab
