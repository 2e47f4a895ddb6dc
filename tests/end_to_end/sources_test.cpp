// Whose address and port the server sees: kept where that is possible, and said where it is not.

#include "tests/end_to_end/mechanisms.h"

namespace gw::lab {
namespace {

constexpr const char* with_port = "client_address: keep_with_port";

struct Kept {
    std::string name;
    std::string mode;
    bool v6;
    bool tracked;
    bool timestamps;
};

std::vector<Kept> all_kept()
{
    std::vector<Kept> all;
    for (const char* mode : {"tproxy", "redirect", "external"})
        for (const bool v6 : {false, true})
            for (const bool tracked : {true, false})
                for (const bool timestamps : {true, false})
                    all.push_back({std::string(mode) + (v6 ? "V6" : "V4") + (tracked ? "Tracked" : "Untracked") +
                                       (timestamps ? "" : "WithoutTimestamps"),
                                   mode, v6, tracked, timestamps});
    return all;
}

class EveryMode : public Appliance, public ::testing::WithParamInterface<Kept> {};

TEST_P(EveryMode, KeepsTheClientsPort)
{
    const auto& [name, mode, v6, tracked, timestamps] = GetParam();
    const std::string server = v6 ? "[fd00:2::11]:8000" : "10.0.2.11:8000", client = v6 ? "fd00:1::3" : "10.0.1.3";
    Origin origin(network.servers(), server, echoes_lines());
    if (tracked) tracks_connections(network.gateway());
    if (!timestamps) network.gateway().sets("net/ipv4/tcp_timestamps", "0");
    // By hand with tproxy, which is the harder one: both connections have the same addresses and ports.
    if (mode == "external") somebody_leads_here(network, ByHand::tproxy);
    gateway.runs_with(by_mode(mode, mode == "external" ? "[\"[::]:15001\"]" : "", with_port));

    std::vector<Socket> sockets;
    for (std::uint16_t port = 42'000; port < 42'010; ++port)
        sockets.push_back(network.client(client).dials(server, port));

    for (auto& socket : sockets) EXPECT_TRUE(talks(socket)) << socket.name().text();
    std::vector<std::uint16_t> seen;
    for (std::size_t i = 0; i < origin.connections(); ++i) {
        EXPECT_EQ(origin.client_of(i).address.text(), client);
        seen.push_back(origin.client_of(i).port);
    }
    std::sort(seen.begin(), seen.end());
    for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], 42'000 + i);
    EXPECT_EQ(seen.size(), 10u);
    sockets.front().closes();
    const auto record = gateway.connection_record(client);
    EXPECT_EQ(record.value("source", ""), "kept_with_port") << record;
    EXPECT_FALSE(record.contains("source_fallback")) << record;
}

INSTANTIATE_TEST_SUITE_P(Mode, EveryMode, ::testing::ValuesIn(all_kept()),
                         [](const auto& each) { return each.param.name; });

// --- one port again

/// A client that forgets its connection as soon as it has ended, and takes the same port for the next one.
void comes_again(const Network& network, Origin& origin)
{
    network.clients().sets("net/ipv4/tcp_max_tw_buckets", "0");
    for (int i = 0; i < 2; ++i) {
        auto socket = network.client("10.0.1.3").dials("10.0.2.11:8000", 42'000);
        ASSERT_TRUE(talks(socket)) << "connection " << i + 1;
        socket.ends_writing();
        EXPECT_EQ(socket.receives_all(), "");
    }
    EXPECT_EQ(origin.connections(), 2u);
}

TEST_F(Appliance, KeepsAClientsPortThatIsUsedAgainAtOnce)
{
    Origin origin(network.servers(), "10.0.2.11:8000", echoes_lines());
    tracks_connections(network.gateway());
    gateway.runs_with(by_mode("tproxy", "", with_port));

    comes_again(network, origin);

    EXPECT_EQ(gateway.connection_record("10.0.1.3", 1).value("source", ""), "kept_with_port");
}

TEST_F(Appliance, SettlesForTheAddressWhenAPortIsUsedAgainWithoutTimestamps)
{
    for (const auto* each : {&network.clients(), &network.gateway(), &network.servers()})
        each->sets("net/ipv4/tcp_timestamps", "0");
    Origin origin(network.servers(), "10.0.2.11:8000", echoes_lines());
    gateway.runs_with(by_mode("tproxy", "", with_port));

    comes_again(network, origin);

    const auto record = gateway.connection_record("10.0.1.3", 1);
    EXPECT_EQ(record.value("source", ""), "kept") << record;
    EXPECT_THAT(record.value("source_fallback", ""), HasSubstr("port is taken")) << record;
    EXPECT_EQ(origin.client_of(1).address.text(), "10.0.1.3");
    EXPECT_THAT(gateway.log(), HasSubstr("port is taken"));
    EXPECT_THAT(gateway.ctl({"metrics"}).out, HasSubstr("gateway_source_fallbacks_total{listener=\"web\"} 1"));
}

TEST_F(Appliance, GivesOneOfAnHttpClientsConnectionsItsPort)
{
    Origin first(network.servers(), "10.0.2.11:8000", echoes()), second(network.servers(), "10.0.2.12:8000", echoes());
    gateway.runs_with(
        by_mode("tproxy", "", with_port, "routes: [{host: \"_\", path: /second, to: \"http://10.0.2.12:8000\"}]\n"));

    auto client = network.client("10.0.1.3").dials("10.0.2.11:8000", 42'000);
    for (const char* target : {"/first", "/second", "/third"}) {
        client.sends(request("GET", target, "site.example"));
        EXPECT_TRUE(receive_message(client).whole) << target;
    }

    EXPECT_EQ(first.client_of(0).text(), "10.0.1.3:42000");
    EXPECT_EQ(second.client_of(0).address.text(), "10.0.1.3");
    EXPECT_NE(second.client_of(0).port, 42'000);
    EXPECT_EQ(gateway.request_record("/first").value("source", ""), "kept_with_port");
    const auto record = gateway.request_record("/second");
    EXPECT_EQ(record.value("source", ""), "kept") << record;
    EXPECT_THAT(record.value("source_fallback", ""), HasSubstr("has its port")) << record;
    EXPECT_TRUE(gateway.request_record("/third").contains("source"));
}

// --- where it cannot be

// Thousands of clients that wait would hold as many connections of a server otherwise.
TEST_F(Appliance, HoldsNoUpstreamConnectionForAClientThatWaits)
{
    std::atomic<int> ended{0};
    Origin origin(network.servers(), "10.0.2.11:80", [&](Origin::Connection& connection) {
        while (receive_message(connection).whole) connection.sends(answer(200, "here"));
        ++ended;
    });
    gateway.runs_with("timeouts: {upstream_idle: 50ms, keep_alive: 60s}\n" + intercepting());
    auto socket = network.client("10.0.1.3").dials("10.0.2.11:80");
    const auto is_answered = [&] {
        socket.sends(request("GET", "/", "a.example"));
        return receive_message(socket).head.starts_with("HTTP/1.1 200");
    };
    EXPECT_TRUE(is_answered());
    EXPECT_TRUE(is_answered());
    EXPECT_EQ(origin.connections(), 1u) << "at hand for the next request";
    EXPECT_TRUE(eventually([&] { return ended == 1; }));
    EXPECT_TRUE(is_answered()) << "the client's own goes on";
    EXPECT_EQ(origin.connections(), 2u);
}

TEST_F(Appliance, HasPortsForManyDestinationsOutOfAFew)
{
    network.gateway().sets("net/ipv4/ip_local_port_range", "40000 40009");
    std::vector<std::unique_ptr<Origin>> origins;
    for (const char* at : {"10.0.2.11:8000", "10.0.2.12:8000", "10.0.2.13:8000"})
        origins.push_back(std::make_unique<Origin>(network.servers(), at, echoes_lines()));
    for (const char* mode : {"tproxy", "redirect"}) {
        if (!gateway.is_running())
            gateway.runs_with(by_mode(mode));
        else
            gateway.reloads(by_mode(mode));
        std::vector<Socket> sockets;
        for (int i = 0; i < 8; ++i)
            for (const char* at : {"10.0.2.11:8000", "10.0.2.12:8000", "10.0.2.13:8000"})
                sockets.push_back(network.client("10.0.1.3").dials(at));
        for (auto& socket : sockets) EXPECT_TRUE(talks(socket)) << mode;
        for (auto& socket : sockets) socket.resets();
    }
    for (const auto& origin : origins)
        for (std::size_t i = 0; i < origin->connections(); ++i)
            EXPECT_EQ(origin->client_of(i).address.text(), "10.0.1.3");
}

TEST_F(Appliance, UsesItsOwnAddressWhenNoPortOfTheClientsIsFree)
{
    Origin origin(network.servers(), "10.0.2.11:8000", echoes_lines());
    gateway.runs_with(by_mode("tproxy"));
    network.gateway().sets("net/ipv4/ip_local_port_range", "40000 40001"); // its listener has a port already

    std::vector<Socket> sockets;
    for (int i = 0; i < 3; ++i) {
        sockets.push_back(network.client("10.0.1.3").dials("10.0.2.11:8000"));
        EXPECT_TRUE(talks(sockets.back())) << i;
    }

    EXPECT_EQ(origin.client_of(2).address.text(), "10.0.2.1");
    sockets.back().closes();
    const auto record = gateway.connection_record("10.0.1.3");
    EXPECT_EQ(record.value("source", ""), "gateway") << record;
    EXPECT_THAT(record.value("source_fallback", ""), HasSubstr("no port")) << record;
}

TEST_F(Appliance, CannotKeepAnAddressOfTheOtherFamily)
{
    Origin origin(network.servers(), "[fd00:2::11]:9000", echoes());
    gateway.runs_with(by_mode("tproxy", "", with_port, "routes: [{host: \"_\", to: \"http://[fd00:2::11]:9000\"}]\n"));

    EXPECT_EQ(network.client("10.0.1.3").asks("http://10.0.2.11/other").status, 200);

    EXPECT_EQ(origin.client_of(0).address.text(), "fd00:2::1");
    const auto record = gateway.request_record("/other");
    EXPECT_EQ(record.value("source", ""), "gateway") << record;
    EXPECT_THAT(record.value("source_fallback", ""), HasSubstr("another family")) << record;
}

TEST_F(Appliance, ServesClientsOnTheGatewayWithItsOwnAddress)
{
    Origin origin(network.servers(), "10.0.2.11:8000", echoes_lines());
    somebody_adds(network.gateway(),
                  "table ip hand { chain c { type nat hook output priority -100;\n"
                  "meta mark & 0x03000000 == 0 ip daddr 10.0.2.11 tcp dport 8000 redirect to :15001\n"
                  "}\n}\n");
    gateway.runs_with(by_mode("external", "[\"0.0.0.0:15001\"]", with_port));

    auto local = network.gateway().dials(*Endpoint::parse("10.0.2.11:8000"), {});
    EXPECT_TRUE(talks(local));
    local.closes();

    EXPECT_EQ(origin.client_of(0).address.text(), "10.0.2.1");
    const auto record = gateway.connection_record("10.0.2.1");
    EXPECT_EQ(record.value("recovered", ""), "conntrack") << record;
    EXPECT_EQ(record.value("source", ""), "gateway") << record;
    EXPECT_EQ(record.value("source_fallback", ""), "the client is on this host") << record;
}

TEST_F(Appliance, SaysWhenTheServerAnswersTheClientByAnotherWay)
{
    Origin origin(network.servers(), "10.0.2.11:8000", echoes_lines());
    network.clients().configures("link add direct type veth peer name direct netns " + network.servers().name() +
                                 "\nlink set direct up\n");
    network.servers().configures("link set direct up\nroute add 10.0.1.3/32 dev direct\n");
    network.clients().sets("net/ipv4/conf/all/rp_filter", "0");
    network.clients().sets("net/ipv4/conf/direct/rp_filter", "0");
    gateway.runs_with(by_mode("tproxy", "", "", "timeouts: {connect: 1s}\n"));

    auto client = network.client("10.0.1.3").dials("10.0.2.11:8000");
    client.sends("\x01 hello\n");
    EXPECT_EQ(client.receives_all(), "");

    const auto record = gateway.connection_record("10.0.1.3");
    EXPECT_EQ(record.value("end", ""), "timed_out") << record;
    EXPECT_THAT(record.value("what", ""), HasSubstr("client_address: gateway")) << record;
}

} // namespace
} // namespace gw::lab
