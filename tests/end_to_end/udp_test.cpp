// UDP through the gateway: whose address either side sees, that no datagram goes astray, what is told when nobody is
// there, and what bounds it all.

#include "tests/end_to_end/scene.h"
#include "tests/support/lab_datagram.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <netinet/in.h>
#include <set>
#include <sys/socket.h>

namespace gw::lab {
namespace {

using namespace std::chrono_literals;

/// A listener for UDP to all servers; `more` follows.
std::string datagrams(std::string_view of_listener = "", std::string_view more = "")
{
    std::string yaml =
        "listeners:\n"
        "  - name: udp\n"
        "    intercept: {transport: udp, to: [10.0.2.0/24, \"fd00:2::/64\"], ports: [53, 443, 5000-5100]}\n";
    if (!of_listener.empty()) yaml.append("    ").append(of_listener).append("\n");
    return yaml.append(more);
}

Endpoint at(std::string_view text) { return *Endpoint::parse(text); }

class Udp : public Appliance {
protected:
    DatagramSocket client(std::string_view text) { return {network.clients(), at(text)}; }
    /// One question and the answer to it, or "" when there was none.
    std::string ask(DatagramSocket& socket, std::string_view to, std::string_view what)
    {
        socket.sends(at(to), what);
        const auto back = socket.receives();
        if (!back) return "";
        EXPECT_EQ(back->from.text(), to);
        return back->bytes;
    }
    Json status() { return Json::parse(gateway.ctl({"status", "--json"}).out, nullptr, false)["udp"]; }
    Json flow_record(std::string_view client_text)
    {
        return gateway.record([&](const Json& each) {
            return each.value("kind", "") == "flow" && each.value("client", "") == client_text;
        });
    }
    /// The record of a flow of `udp` that is short-lived.
    static constexpr std::string_view quick =
        "timeouts: {udp_idle: 300ms, udp_unanswered: 300ms, udp_dns_idle: 300ms}\n";
};

TEST_F(Udp, KeepsTheClientsAddressAndAnswersFromTheServersOverIpv4AndIpv6)
{
    DatagramServer v4(network.servers(), "10.0.2.10:5000", echoes_datagrams());
    DatagramServer v6(network.servers(), "[fd00:2::10]:5000", echoes_datagrams());
    gateway.runs_with(datagrams("", quick));
    auto one = client("10.0.1.3:40001"), six = client("[fd00:1::3]:40002");

    EXPECT_EQ(ask(one, "10.0.2.10:5000", "hello"), "hello");
    EXPECT_EQ(ask(six, "[fd00:2::10]:5000", "hello, six"), "hello, six");

    EXPECT_EQ(v4.senders(), (std::map<std::string, std::size_t>{{"10.0.1.3", 1}}));
    EXPECT_EQ(v6.senders(), (std::map<std::string, std::size_t>{{"fd00:1::3", 1}}));
    EXPECT_NE(v4.sender_ports().begin()->first.port, 40001) << "it did not go through the gateway";
    const auto record = flow_record("[fd00:1::3]:40002");
    EXPECT_EQ(record.value("destination", ""), "[fd00:2::10]:5000");
    EXPECT_EQ(record.value("transport", ""), "udp");
    EXPECT_EQ(record.value("ended", ""), "idle");
    EXPECT_TRUE(record.value("source_kept", false));
    EXPECT_EQ(record.value("from_client_bytes", 0), 10);
    EXPECT_EQ(record.value("to_client_datagrams", 0), 1);
}

TEST_F(Udp, ShowsItsOwnAddressWhereAskedTo)
{
    DatagramServer server(network.servers(), "10.0.2.10:5000", echoes_datagrams());
    gateway.runs_with(datagrams("client_address: gateway", quick));
    auto one = client("10.0.1.3:0");

    EXPECT_EQ(ask(one, "10.0.2.10:5000", "hello"), "hello");

    EXPECT_EQ(server.senders(), (std::map<std::string, std::size_t>{{"10.0.2.1", 1}}));
    EXPECT_FALSE(flow_record(one.name().text()).value("source_kept", true));
}

// The sockets that answer are bound to what clients send to; one of them that caught what a client sends next would
// take it away from the flow.
TEST_F(Udp, LosesNoDatagramOfManyFlowsFromFewClientsToManyDestinations)
{
    constexpr int rounds = 20, sockets = 8, ports = 12;
    std::vector<std::unique_ptr<DatagramServer>> servers;
    std::vector<Endpoint> destinations;
    for (int port = 5000; port < 5000 + ports; ++port)
        for (const std::string address : {"10.0.2.10", "10.0.2.11", "[fd00:2::10]"}) {
            destinations.push_back(at(address + ":" + std::to_string(port)));
            const auto name = destinations.back().text();
            servers.push_back(
                std::make_unique<DatagramServer>(network.servers(), name, [name](const DatagramSocket::Received& got) {
                    return name + " heard " + got.bytes;
                }));
        }
    gateway.runs_with(datagrams("", "workers: 2\n"));
    std::vector<DatagramSocket> v4, v6;
    for (int i = 0; i < sockets; ++i) {
        v4.push_back(client(i % 2 == 0 ? "10.0.1.2:0" : "10.0.1.3:0"));
        v6.push_back(client("[fd00:1::2]:0"));
    }

    for (int round = 0; round < rounds; ++round)
        for (auto& destination : destinations)
            for (int i = 0; i < sockets; ++i) {
                auto& socket = (destination.address.is_v6() ? v6 : v4)[static_cast<std::size_t>(i)];
                EXPECT_TRUE(socket.sends(destination, std::to_string(i) + "/" + std::to_string(round)));
            }

    for (const bool six : {false, true})
        for (int i = 0; i < sockets; ++i) {
            auto& socket = (six ? v6 : v4)[static_cast<std::size_t>(i)];
            std::set<std::string> heard;
            const auto expected = static_cast<std::size_t>(rounds * ports * (six ? 1 : 2));
            while (heard.size() < expected) {
                const auto back = socket.receives();
                if (!back) break;
                EXPECT_THAT(back->bytes, StartsWith(back->from.text() + " heard " + std::to_string(i) + "/"));
                EXPECT_TRUE(heard.insert(back->bytes).second) << back->bytes << " came twice";
            }
            EXPECT_EQ(heard.size(), expected);
        }
    for (const auto& server : servers) EXPECT_EQ(server->count(), static_cast<std::size_t>(rounds * sockets));
    const auto counted = status();
    EXPECT_EQ(counted.value("flows", 0U), destinations.size() * sockets) << "datagrams of one flow made another";
    EXPECT_EQ(counted.value("datagrams_from_clients", 0U), destinations.size() * sockets * rounds);
    EXPECT_EQ(counted.value("datagrams_to_clients", 0U), destinations.size() * sockets * rounds);
}

TEST_F(Udp, CarriesAsManyDatagramsAsWereSentEachWayInOrder)
{
    constexpr std::size_t many = 20'000, window = 60; // a socket holds 90 by default
    DatagramServer server(network.servers(), "10.0.2.10:443", echoes_datagrams());
    gateway.runs_with(datagrams("", quick));
    auto one = client("10.0.1.3:0");

    std::size_t sent = 0, back = 0;
    for (; back < many; ++back) {
        for (; sent < many && sent < back + window; ++sent)
            ASSERT_TRUE(one.sends(at("10.0.2.10:443"), std::string(100 + sent % 1'100, 'q') + std::to_string(sent)));
        const auto got = one.receives();
        ASSERT_TRUE(got) << "after " << back;
        ASSERT_EQ(got->bytes, std::string(100 + back % 1'100, 'q') + std::to_string(back));
    }

    EXPECT_EQ(server.count(), many);
    EXPECT_EQ(server.sender_ports().size(), 1U) << "one flow has one port";
    const auto record = flow_record(one.name().text());
    EXPECT_EQ(record.value("from_client_datagrams", 0U), many);
    EXPECT_EQ(record.value("to_client_datagrams", 0U), many);
    EXPECT_EQ(record.value("from_client_bytes", 0U), record.value("to_client_bytes", 1U));
    EXPECT_EQ(record.value("dropped_datagrams", 1U), 0U);
}

TEST_F(Udp, PassesDatagramsOfEverySizeWhole)
{
    DatagramServer v4(network.servers(), "10.0.2.10:5000", echoes_datagrams());
    DatagramServer v6(network.servers(), "[fd00:2::10]:5000", echoes_datagrams());
    gateway.runs_with(datagrams());
    auto one = client("10.0.1.3:0"), six = client("[fd00:1::3]:0");

    for (const std::size_t size : {0, 1, 1'200, 1'472, 1'473, 9'000, 40'000, 65'507}) {
        const std::string bytes(size, 'z');
        one.sends(at("10.0.2.10:5000"), bytes);
        const auto back = one.receives();
        ASSERT_TRUE(back) << size;
        EXPECT_EQ(back->bytes.size(), size);
        six.sends(at("[fd00:2::10]:5000"), bytes);
        const auto back_six = six.receives();
        ASSERT_TRUE(back_six) << size;
        EXPECT_EQ(back_six->bytes.size(), size);
    }
}

TEST_F(Udp, AnswersFromAPortThatAProgramOfThisHostHolds)
{
    DatagramServer v4(network.servers(), "10.0.2.10:53", echoes_datagrams());
    DatagramServer v6(network.servers(), "[fd00:2::10]:53", echoes_datagrams());
    DatagramServer own(network.gateway(), "0.0.0.0:53",
                       [](const DatagramSocket::Received&) { return std::optional<std::string>{"the gateway's own"}; });
    DatagramServer own_six(network.gateway(), "[::]:5053", echoes_datagrams());
    DatagramServer v6_high(network.servers(), "[fd00:2::10]:5053", echoes_datagrams());
    gateway.runs_with(datagrams());
    auto one = client("10.0.1.3:0"), six = client("[fd00:1::3]:0");

    EXPECT_EQ(ask(one, "10.0.2.10:53", "who"), "who");
    EXPECT_EQ(ask(one, "10.0.2.10:53", std::string(4'000, 'w')), std::string(4'000, 'w'));
    EXPECT_EQ(ask(six, "[fd00:2::10]:53", "odd"), "odd");
    EXPECT_EQ(ask(six, "[fd00:2::10]:5053", "high"), "high");
    one.sends(at("10.0.2.1:53"), "you");
    const auto of_gateway = one.receives();
    ASSERT_TRUE(of_gateway);
    EXPECT_EQ(of_gateway->bytes, "the gateway's own") << "its own address is nobody else's";
    EXPECT_EQ(own.count(), 1U);
}

TEST_F(Udp, TellsTheClientWhenNobodyListens)
{
    gateway.runs_with(datagrams());
    for (const auto& [from, to] : {std::pair{"10.0.1.3:0", "10.0.2.10:5000"}, {"[fd00:1::3]:0", "[fd00:2::10]:5000"}}) {
        auto one = client(from);
        one.connects(at(to));
        one.sends(at(to), "anybody?");
        EXPECT_EQ(one.hears_error(), ECONNREFUSED) << to;
        const auto record = flow_record(one.name().text());
        EXPECT_EQ(record.value("ended", ""), "refused");
        EXPECT_EQ(record.value("side", ""), "upstream");
    }
    EXPECT_EQ(status().value("flows_refused", 0), 2);
    EXPECT_EQ(status().value("told_unreachable", 0), 2);
}

TEST_F(Udp, DeniesSoThatTheClientKnowsAtOnce)
{
    DatagramServer server(network.servers(), "10.0.2.10:443", echoes_datagrams());
    gateway.runs_with(datagrams("default: deny"));
    auto one = client("10.0.1.3:0");
    one.connects(at("10.0.2.10:443"));

    one.sends(at("10.0.2.10:443"), "QUIC?");

    EXPECT_EQ(one.hears_error(), ECONNREFUSED);
    EXPECT_EQ(status()["dropped"].value("denied", 0), 1);
    EXPECT_EQ(server.count(), 0U);
}

TEST_F(Udp, NeverSendsToItself)
{
    gateway.runs_with(datagrams());
    const auto rules = gateway.rules();
    const auto where = rules.find("127.0.0.1:");
    ASSERT_NE(where, std::string::npos) << rules;
    const auto port = static_cast<std::uint16_t>(std::atoi(rules.c_str() + where + 10));

    DatagramSocket inside(network.gateway(), at("127.0.0.1:0"));
    inside.sends({at("127.0.0.1:0").address, port}, "around and around");

    EXPECT_TRUE(eventually([&] { return status()["dropped"].value("own_address", 0) == 1; })) << status();
    EXPECT_EQ(status().value("flows", 1), 0);
}

TEST_F(Udp, EndsTheQuietestUnansweredFlowWhenThereAreTooMany)
{
    DatagramServer server(network.servers(), "10.0.2.10:5000", echoes_datagrams());
    DatagramServer silent(network.servers(), "10.0.2.10:5001",
                          [](const DatagramSocket::Received&) { return std::nullopt; });
    gateway.runs_with(datagrams("", "workers: 1\nlimits: {udp_flows: 10}\n"));
    auto kept = client("10.0.1.3:0");
    EXPECT_EQ(ask(kept, "10.0.2.10:5000", "first"), "first");

    std::vector<DatagramSocket> others;
    for (int i = 0; i < 50; ++i) {
        others.push_back(client("10.0.1.4:0"));
        others.back().sends(at("10.0.2.10:5001"), "hm");
    }
    EXPECT_TRUE(silent.receives(50));
    EXPECT_EQ(ask(kept, "10.0.2.10:5000", "again"), "again");

    EXPECT_EQ(server.sender_ports().size(), 1U) << "the answered flow was ended before those without an answer";
    const auto counted = status();
    EXPECT_EQ(counted.value("flows_evicted", 0), 41);
    EXPECT_EQ(counted.value("flows_active", 0), 10);
}

TEST_F(Udp, LetsOneClientHaveAsManyFlowsAsItMayAndOthersTheirs)
{
    DatagramServer server(network.servers(), "10.0.2.10:5000", echoes_datagrams());
    gateway.runs_with(datagrams("limits: {per_client: 3, connections: 4}", "workers: 2\n"));
    std::vector<DatagramSocket> greedy;
    for (int i = 0; i < 3; ++i) {
        greedy.push_back(client("10.0.1.3:0"));
        EXPECT_EQ(ask(greedy.back(), "10.0.2.10:5000", "mine"), "mine");
    }
    auto fourth = client("10.0.1.3:0");
    fourth.connects(at("10.0.2.10:5000"));
    fourth.sends(at("10.0.2.10:5000"), "and mine");
    EXPECT_EQ(fourth.hears_error(), ECONNREFUSED);
    auto other = client("10.0.1.4:0");
    EXPECT_EQ(ask(other, "10.0.2.10:5000", "hers"), "hers");
    auto fifth = client("10.0.1.5:0");
    fifth.connects(at("10.0.2.10:5000"));
    fifth.sends(at("10.0.2.10:5000"), "too many");
    EXPECT_EQ(fifth.hears_error(), ECONNREFUSED);

    EXPECT_EQ(ask(greedy[0], "10.0.2.10:5000", "again"), "again") << "nobody was ended for it";
    EXPECT_EQ(server.count(), 5U);
    EXPECT_EQ(status()["dropped"].value("limited", 0), 2);
    const auto listener = Json::parse(gateway.ctl({"status", "--json"}).out)["listeners"][0];
    EXPECT_EQ(listener["turned_away"], Json::parse(R"({"listener_connections": 1, "listener_per_client": 1})"));
    EXPECT_THAT(gateway.log(), HasSubstr("limits.per_client of the listener is reached"));
}

TEST_F(Udp, CountsTheFlowsOfAClientOverAllListeners)
{
    DatagramServer server(network.servers(), "10.0.2.10:5000", echoes_datagrams());
    gateway.runs_with(datagrams("", "limits: {per_client: 1}\n" + std::string(quick)));
    auto one = client("10.0.1.3:0"), two = client("10.0.1.3:0");
    EXPECT_EQ(ask(one, "10.0.2.10:5000", "first"), "first");
    two.sends(at("10.0.2.10:5000"), "second");
    EXPECT_TRUE(eventually([&] { return status()["dropped"].value("limited", 0) == 1; })) << status();
    EXPECT_EQ(flow_record(one.name().text()).value("ended", ""), "idle");
    EXPECT_EQ(ask(two, "10.0.2.10:5000", "now"), "now") << "there is room again";
}

TEST_F(Udp, EndsFlowsThatAreQuietForLongEnough)
{
    DatagramServer server(network.servers(), "10.0.2.10:5000", echoes_datagrams());
    DatagramServer silent(network.servers(), "10.0.2.10:5001",
                          [](const DatagramSocket::Received&) { return std::nullopt; });
    gateway.runs_with(datagrams("", quick));
    auto one = client("10.0.1.3:0"), two = client("10.0.1.4:0");

    EXPECT_EQ(ask(one, "10.0.2.10:5000", "a"), "a");
    two.sends(at("10.0.2.10:5001"), "b");

    EXPECT_EQ(flow_record(one.name().text()).value("ended", ""), "idle");
    EXPECT_EQ(flow_record(two.name().text()).value("ended", ""), "unanswered");
    EXPECT_EQ(status().value("flows_active", 1), 0);
    EXPECT_EQ(ask(one, "10.0.2.10:5000", "anew"), "anew");
}

/// GW_FLOOD_FLOWS: how many; 20,000 unless it is set.
TEST_F(Udp, StandsAFloodOfFalseSendersInBoundedMemory)
{
    const auto* asked = std::getenv("GW_FLOOD_FLOWS");
    const std::size_t flood = asked != nullptr ? std::strtoul(asked, nullptr, 10) : 20'000;
    DatagramServer server(network.servers(), "10.0.2.10:5000", echoes_datagrams());
    DatagramServer silent(network.servers(), "10.0.2.10:5001",
                          [](const DatagramSocket::Received&) { return std::nullopt; });
    gateway.runs_with(datagrams("", "workers: 1\nlimits: {udp_flows: 2000}\nlogs: {access: off}\n"));
    auto honest = client("10.0.1.3:0");
    EXPECT_EQ(ask(honest, "10.0.2.10:5000", "before"), "before");
    const auto before = gateway.memory_kib();

    std::size_t sent = 0;
    for (std::uint32_t host = 4; host < 10 && sent < flood; ++host)
        network.clients().inside([&] {
            for (std::uint16_t port = 1'024; port < 60'000 && sent < flood; ++port, ++sent) {
                Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
                sockaddr_storage name{};
                auto size = to_sockaddr(at("10.0.1." + std::to_string(host) + ":" + std::to_string(port)), name);
                if (::bind(socket.number(), reinterpret_cast<sockaddr*>(&name), size) != 0) continue;
                size = to_sockaddr(at("10.0.2.10:5001"), name);
                ::sendto(socket.number(), "x", 1, 0, reinterpret_cast<sockaddr*>(&name), size);
            }
        });
    EXPECT_TRUE(silent.receives(flood / 2)) << "most of it was lost";

    EXPECT_EQ(ask(honest, "10.0.2.10:5000", "after"), "after");
    const auto counted = status();
    EXPECT_LE(counted.value("flows_active", 0U), 2'000U);
    EXPECT_GT(counted.value("flows_evicted", 0U), flood / 4);
    EXPECT_EQ(server.sender_ports().size(), 1U) << "the honest flow had to begin anew";
    const auto grown = gateway.memory_kib() - std::min(before, gateway.memory_kib());
    RecordProperty("grown_kib", static_cast<int>(grown));
    std::printf("%zu flows: memory grew by %zu KiB, %zu flows evicted, %zu datagrams dropped by full queues\n", flood,
                grown, counted.value("flows_evicted", std::size_t{0}),
                counted["dropped"].value("queue_full", std::size_t{0}));
    EXPECT_LT(grown, 16 * 1024U);
}

TEST_F(Udp, KeepsFlowsThroughAReload)
{
    DatagramServer server(network.servers(), "10.0.2.10:5000", echoes_datagrams());
    gateway.runs_with(datagrams());
    auto one = client("10.0.1.3:0");
    EXPECT_EQ(ask(one, "10.0.2.10:5000", "1"), "1");

    for (int i = 0; i < 5; ++i) {
        gateway.reloads(datagrams("", i % 2 == 0 ? "timeouts: {udp_idle: 90s}\n" : "timeouts: {udp_idle: 60s}\n"));
        EXPECT_EQ(ask(one, "10.0.2.10:5000", "more"), "more");
    }

    EXPECT_EQ(server.sender_ports().size(), 1U);
}

TEST_F(Udp, EndsTheFlowsOfAListenerThatIsTakenAway)
{
    DatagramServer server(network.servers(), "10.0.2.10:5000", echoes_datagrams());
    gateway.runs_with(datagrams());
    auto one = client("10.0.1.3:0");
    EXPECT_EQ(ask(one, "10.0.2.10:5000", "through"), "through");

    gateway.reloads("listeners: [{name: udp, intercept: {to: [10.0.2.0/24], ports: [5000]}}]");

    EXPECT_EQ(flow_record(one.name().text()).value("ended", ""), "closed");
    EXPECT_EQ(ask(one, "10.0.2.10:5000", "past"), "past");
    EXPECT_EQ(server.sender_ports().count(one.name()), 1U) << "it should go past the gateway now";
}

TEST_F(Udp, GoesOnWhenTheDataProcessDies)
{
    DatagramServer server(network.servers(), "10.0.2.10:5000", echoes_datagrams());
    gateway.runs_with(datagrams());
    auto one = client("10.0.1.3:0");
    EXPECT_EQ(ask(one, "10.0.2.10:5000", "before"), "before");
    const auto old = gateway.process_ids("gateway-data");
    ASSERT_EQ(old.size(), 1U);

    ::kill(old.front(), SIGKILL);
    one.sends(at("10.0.2.10:5000"), "meanwhile"); // waits in the socket that the keeper holds
    const auto back = one.receives();

    ASSERT_TRUE(back);
    EXPECT_EQ(back->bytes, "meanwhile");
    EXPECT_EQ(back->from.text(), "10.0.2.10:5000");
    EXPECT_EQ(server.senders(), (std::map<std::string, std::size_t>{{"10.0.1.3", 2}}));
}

TEST_F(Udp, LeavesWhatIsExceptedAndWhatIsNotNamedAlone)
{
    DatagramServer named(network.servers(), "10.0.2.10:5000", echoes_datagrams());
    DatagramServer other(network.servers(), "10.0.2.10:6000", echoes_datagrams());
    gateway.runs_with("listeners: [{intercept: {transport: udp, to: [10.0.2.0/24], ports: [5000], "
                      "except: {from: [10.0.1.9]}}}]");
    auto one = client("10.0.1.3:0"), nine = client("10.0.1.9:0");

    EXPECT_EQ(ask(one, "10.0.2.10:5000", "a"), "a");
    // The socket that answers in the name of 10.0.2.10:5000 is there now; what passes by must not fall into it.
    for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(nine, "10.0.2.10:5000", "b"), "b");
    EXPECT_EQ(ask(one, "10.0.2.10:6000", "c"), "c");

    EXPECT_EQ(named.sender_ports().count(nine.name()), 1U);
    EXPECT_EQ(other.sender_ports().count(one.name()), 1U);
}

TEST_F(Udp, WorksWithThePrivilegesOfTheUnitOnly)
{
    DatagramServer server(network.servers(), "10.0.2.10:5000", echoes_datagrams());
    DatagramServer own(network.gateway(), "0.0.0.0:5000", echoes_datagrams());
    gateway.runs_unprivileged_with(datagrams());
    auto one = client("10.0.1.3:0"), two = client("10.0.1.3:0");

    EXPECT_EQ(ask(one, "10.0.2.10:5000", "a"), "a");
    EXPECT_EQ(server.senders(), (std::map<std::string, std::size_t>{{"10.0.1.3", 1}}));
    two.connects(at("10.0.2.10:5001"));
    two.sends(at("10.0.2.10:5001"), "b");
    EXPECT_EQ(two.hears_error(), ECONNREFUSED);
}

TEST_F(Udp, IsSeenInStatusMetricsAndConnections)
{
    DatagramServer server(network.servers(), "10.0.2.10:5000", echoes_datagrams());
    gateway.runs_with(datagrams());
    auto one = client("10.0.1.3:40003");
    EXPECT_EQ(ask(one, "10.0.2.10:5000", "four"), "four");

    EXPECT_THAT(gateway.ctl({"metrics"}).out,
                ::testing::AllOf(HasSubstr("gateway_udp_flows_active 1"),
                                 HasSubstr("gateway_udp_datagrams_total{direction=\"to_clients\"} 1"),
                                 HasSubstr("gateway_udp_dropped_total{reason=\"denied\"} 0")));
    EXPECT_THAT(gateway.ctl({"connections"}).out, HasSubstr("10.0.1.3:40003"));
    const auto status = Json::parse(gateway.ctl({"status", "--json"}).out, nullptr, false);
    EXPECT_EQ(status["listeners"][0].value("connections_active", 0), 1);
    EXPECT_EQ(status["listeners"][0].value("protocol", ""), "udp");
}

} // namespace
} // namespace gw::lab
