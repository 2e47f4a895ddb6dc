// The same promises where iptables holds the rules: who is seen, what is left alone, what holds when the gateway dies,
// and that nothing of others is touched. For each variant of iptables that this machine has.

#include "tests/end_to_end/fault_matrix.h"
#include "tests/end_to_end/iptables.h"
#include "tests/end_to_end/load.h"
#include "tests/end_to_end/reload_load.h"
#include "tests/support/lab_datagram.h"

#include <algorithm>
#include <csignal>
#include <utility>

namespace gw::lab {
namespace {

INSTANTIATE_TEST_SUITE_P(Variants, Iptables, ::testing::Values("nft", "legacy"),
                         [](const ::testing::TestParamInfo<const char*>& row) { return std::string(row.param); });

TEST_P(Iptables, TakesWebTrafficOverAndKeepsTheClientsAddress)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(web());

    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.10/a").status, 200) << gateway.log() << rules();
    EXPECT_EQ(site.last_client(), "10.0.1.2");
    EXPECT_EQ(network.client("fd00:1::2").asks("http://[fd00:2::10]/b").status, 200) << gateway.log() << rules();
    EXPECT_EQ(site.last_client(), "fd00:1::2");
    EXPECT_EQ(gateway.request_record("/a").value("client", "").substr(0, 9), "10.0.1.2:");
    EXPECT_EQ(gateway.request_record("/b").value("listener", ""), "web");
    EXPECT_EQ(gateway.rules(), "") << "there is a table of nft, too";
}

TEST_P(Iptables, LeavesExceptionsAndOtherPortsAlone)
{
    CountingSite site(network.servers(), "10.0.2.11:80"), excepted(network.servers(), "10.0.2.12:80"),
        other(network.servers(), "10.0.2.11:9000"), late(network.servers(), "10.0.2.11:8077");
    std::string ports = "[80";
    for (int port = 8000; port < 8100; port += 4) ports += ", " + std::to_string(port) + '-' + std::to_string(port + 1);
    gateway.runs_with(web(", except: {from: [10.0.1.3, \"fd00:1::3\"], to: [10.0.2.12]}", ports + ", 8077]") +
                      std::string(CountingSite::marking));

    const auto asks = [&](const char* client, const char* url) { return network.client(client).asks(url).status; };
    EXPECT_EQ(asks("10.0.1.2", "http://10.0.2.11/"), 200) << rules();
    EXPECT_EQ(asks("10.0.1.2", "http://10.0.2.11:8077/"), 200);
    EXPECT_EQ(site.inspected() + late.inspected(), 2);
    EXPECT_EQ(asks("10.0.1.3", "http://10.0.2.11/"), 200);
    EXPECT_EQ(asks("10.0.1.2", "http://10.0.2.12/"), 200);
    EXPECT_EQ(asks("10.0.1.2", "http://10.0.2.11:9000/"), 200);
    EXPECT_EQ(site.uninspected() + excepted.uninspected() + other.uninspected(), 3);
    EXPECT_EQ(site.inspected() + excepted.inspected() + other.inspected() + late.inspected(), 2);
}

TEST_P(Iptables, TakesDatagramsOverAndAnswersFromTheServers)
{
    DatagramServer v4(network.servers(), "10.0.2.10:5000", echoes_datagrams());
    DatagramServer v6(network.servers(), "[fd00:2::10]:5000", echoes_datagrams());
    gateway.runs_with("listeners:\n  - name: udp\n    intercept: {transport: udp, to: [10.0.2.0/24, \"fd00:2::/64\"], "
                      "ports: [53, 5000-5100]}\n" +
                      std::string(by_iptables));
    for (const auto& [from, to] :
         {std::pair{"10.0.1.3:40001", "10.0.2.10:5000"}, std::pair{"[fd00:1::3]:40002", "[fd00:2::10]:5000"}}) {
        DatagramSocket socket(network.clients(), *Endpoint::parse(from));
        for (const char* said : {"one", "two"}) {
            socket.sends(*Endpoint::parse(to), said);
            const auto back = socket.receives();
            ASSERT_TRUE(back.has_value()) << to << '\n' << gateway.log() << rules();
            EXPECT_EQ(back->from.text(), to);
            EXPECT_EQ(back->bytes, said);
        }
    }
    EXPECT_EQ(v4.senders(), (std::map<std::string, std::size_t>{{"10.0.1.3", 2}}));
    EXPECT_EQ(v6.senders(), (std::map<std::string, std::size_t>{{"fd00:1::3", 2}}));
    EXPECT_NE(v4.sender_ports().begin()->first.port, 40001) << "it did not go through the gateway";
}

TEST_P(Iptables, RedirectsAndKnowsWhereConnectionsWereGoing)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(web(", mode: redirect"));

    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.10/a").status, 200) << gateway.log() << rules();
    EXPECT_EQ(site.last_client(), "10.0.1.2");
    EXPECT_EQ(network.client("fd00:1::2").asks("http://[fd00:2::10]/b").status, 200) << gateway.log() << rules();
    EXPECT_EQ(site.last_client(), "fd00:1::2");
    EXPECT_EQ(gateway.request_record("/a").value("listener", ""), "web");
    EXPECT_EQ(gateway.request_record("/b").value("listener", ""), "web");
}

TEST_P(Iptables, KeepsTheClientsPortWhereAskedTo)
{
    does("iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP; "
         "ip6tables -A FORWARD -m conntrack --ctstate INVALID -j DROP");
    WebServer site(network, "site.example", 10);
    auto yaml = web();
    yaml.insert(yaml.find("kernel:"), "    client_address: keep_with_port\n");
    gateway.runs_with(yaml);

    for (const auto& [from, to] : {std::pair{"10.0.1.2", "10.0.2.10:80"}, std::pair{"fd00:1::2", "[fd00:2::10]:80"}}) {
        auto socket = network.client(from).dials(to, 40077);
        ASSERT_TRUE(socket.connected()) << gateway.log() << rules();
        socket.sends(request("GET", "/", "site.example", "connection: close\r\n"));
        EXPECT_THAT(socket.receives_all(), StartsWith("HTTP/1.1 200")) << gateway.log() << rules();
    }
    for (const auto& request : site.log(2)) EXPECT_EQ(request.value("port", 0), 40077);
}

TEST_P(Iptables, LosesNothingWhileItsRulesAreExchanged)
{
    Origin origin(network.servers(), "10.0.2.11:80", answers(answer(200, "fine")));
    gateway.runs_with(web());
    const int turns = turns_wanted(20);
    SoakClient kept(network, true), fresh(network, false);
    for (int turn = 0; turn < turns; ++turn) {
        const auto port = std::to_string(8000 + turn % 90);
        gateway.reloads(web(", except: {from: [10.0.1." + std::to_string(5 + turn % 4) + "]}", "[80, " + port + "]"));
        EXPECT_THAT(rules(), HasSubstr(port));
    }
    EXPECT_TRUE(eventually([&, good = fresh.good()] { return fresh.good() > good + 20; }));
    kept.ends();
    fresh.ends();
    std::printf("%s: %d reloads, %d requests, worst %.0f ms\n", GetParam(), turns, kept.good() + fresh.good(),
                std::max(kept.worst_ms(), fresh.worst_ms()));
    EXPECT_EQ(kept.bad() + fresh.bad(), 0) << kept.first_failure() << fresh.first_failure();
}

TEST_P(Iptables, HoldsWhatWasChosenWhenTheKeeperIsKilled)
{
    BothFamilies load(network);
    EXPECT_TRUE(load.pass_by(1));
    for (const char* mode : {"tproxy", "redirect"})
        for (const char* when_down : {"pass", "reject", "drop"}) {
            SCOPED_TRACE(std::string(mode) + ' ' + when_down);
            gateway.runs_with(closing(when_down, mode));
            ASSERT_TRUE(load.are_inspected(5)) << gateway.log() << rules();
            const int before = load.uninspected();
            const auto down = std::chrono::steady_clock::now();
            gateway.is_killed();
            if (std::string_view(when_down) == "pass") {
                EXPECT_TRUE(load.pass_by(3)) << rules();
            } else {
                EXPECT_TRUE(load.are_refused(10)) << rules();
                EXPECT_EQ(load.uninspected(), before);
            }
            const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - down;
            std::printf("%s, %s, %s: seen %.0f ms after kill -9\n", GetParam(), mode, when_down, took.count());
            const bool at_once = std::string_view(when_down) == "reject";
            if (at_once) {
                auto refused = network.client("10.0.1.2").dials("10.0.2.11:80", 0, Milliseconds{1'000});
                EXPECT_EQ(refused.error(), ECONNREFUSED);
            }
        }
    // The next start finds all that is left of them, and an orderly stop leaves nothing.
    gateway.runs_with(closing("pass"));
    EXPECT_TRUE(load.are_inspected(5)) << gateway.log() << rules();
    gateway.stops();
    EXPECT_EQ(rules(), "");
    EXPECT_TRUE(load.pass_by(3));
}

TEST_P(Iptables, HoldsWhatWasChosenWhenTheKeeperHangs)
{
    BothFamilies load(network);
    for (const char* when_down : {"pass", "reject"}) {
        SCOPED_TRACE(when_down);
        gateway.runs_with(closing(when_down));
        ASSERT_TRUE(load.are_inspected(5)) << gateway.log() << rules();
        const int before = load.uninspected();
        ASSERT_EQ(::kill(gateway.process().id(), SIGSTOP), 0);
        if (std::string_view(when_down) == "pass") {
            EXPECT_TRUE(load.pass_by(3));
        } else {
            EXPECT_TRUE(load.are_refused(10));
            EXPECT_EQ(load.uninspected(), before);
        }
        ::kill(gateway.process().id(), SIGCONT);
        EXPECT_TRUE(load.are_inspected(5));
        gateway.stops();
    }
}

TEST_P(Iptables, TouchesNothingOfOthers)
{
    does("iptables -t mangle -A PREROUTING -i inside -p tcp --dport 9999 -m comment --comment 'not gateway: ours' -j "
         "DROP; "
         "iptables -t mangle -N gateway-friends; iptables -t mangle -A gateway-friends -j RETURN; "
         "iptables -t nat -A PREROUTING -p tcp --dport 9998 -j REDIRECT --to-ports 1; "
         "iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; iptables -A INPUT -i outside -j "
         "ACCEPT; "
         "iptables -t raw -A PREROUTING -i inside -j RETURN; ip6tables -A FORWARD -p ipv6-icmp -j ACCEPT; "
         "ip6tables -t mangle -A PREROUTING -i outside -j RETURN");
    const auto before = rules();
    const auto policy_before = policy();
    const auto foreign = [&] {
        std::istringstream lines(rules());
        std::string kept;
        for (std::string line; std::getline(lines, line);)
            if (before.find(line + '\n') != std::string::npos) kept += line + '\n';
        return kept;
    };
    WebServer site(network, "site.example", 10);
    for (const char* mode : {"tproxy", "redirect"})
        for (const bool killed : {false, true}) {
            SCOPED_TRACE(std::string(mode) + (killed ? " killed" : " stopped"));
            gateway.runs_with(closing("reject", mode));
            EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.10/").status, 200) << gateway.log() << rules();
            EXPECT_EQ(foreign(), before);
            killed ? gateway.is_killed() : gateway.stops();
            EXPECT_EQ(foreign(), before);
            EXPECT_THAT(rules(), HasSubstr("gateway-refusals")) << "what is to be closed stays closed";
        }
    const auto removed = gateway.ctl({"rules", "remove", "--config", gateway.configuration_file()});
    EXPECT_EQ(removed.exit_code, 0) << removed.err;
    EXPECT_EQ(rules(), before);
    EXPECT_EQ(policy(), policy_before);
}

TEST_P(Iptables, PutsBackWhatOthersTakeAway)
{
    BothFamilies load(network);
    gateway.runs_with(closing("reject"));
    ASSERT_TRUE(load.are_inspected(3));
    const auto before = rules();
    std::uint64_t healed = 0;
    for (const char* taken :
         {"iptables -t mangle -F PREROUTING", "ip6tables -t mangle -F gateway-captures",
          "iptables -t mangle -I gateway-captures 1 -j RETURN", "iptables -F FORWARD",
          "iptables -t mangle -F; iptables -t mangle -X; ip6tables -t mangle -F; ip6tables -t mangle -X",
          "ip rule del priority 773"}) {
        does(taken);
        const auto began = std::chrono::steady_clock::now();
        EXPECT_TRUE(eventually([&] { return status()["rules"].value("healed", std::uint64_t{0}) > healed; })) << taken;
        const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
        std::printf("%s: %s: put back after %.0f ms\n", GetParam(), taken, took.count());
        EXPECT_LT(took.count(), 5'000) << "it is looked at each second, also where the machine is busy";
        healed = status()["rules"].value("healed", std::uint64_t{0});
        EXPECT_EQ(rules(), before) << taken;
        EXPECT_TRUE(load.are_inspected(2)) << taken;
    }
    EXPECT_EQ(status()["rules"].value("missing", "?"), "");
}

TEST_P(Iptables, SaysWhatHoldsTheRulesAndWhichOfThemCaughtAConnection)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(web());
    const std::string name =
        std::string("iptables (") + (std::string_view(GetParam()) == "nft" ? "nf_tables" : "legacy") + ')';
    EXPECT_EQ(status()["rules"].value("backend", ""), name);
    EXPECT_EQ(status()["rules"].value("table", ""), "chains gateway-*");
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.10/a").status, 200);

    const auto shown = gateway.ctl({"rules", "show"});
    EXPECT_EQ(shown.exit_code, 0) << shown.err;
    EXPECT_THAT(shown.out, HasSubstr("-j TPROXY --on-ip 127.0.0.1"));
    EXPECT_THAT(shown.out, HasSubstr("# ip6tables-restore --noflush"));
    const auto connection = gateway.connection_record("10.0.1.2").value("id", "");
    const auto explained = Json::parse(gateway.ctl({"explain", connection, "--json"}).out)["capture"];
    EXPECT_EQ(explained["kernel"].value("table", ""), "chains gateway-* (" + name + ')');
    ASSERT_FALSE(explained["rules"].empty());
    for (const auto& rule : explained["rules"]) EXPECT_THAT(rule.get<std::string>(), HasSubstr("1 IPv4 web"));
    const auto found = gateway.ctl({"doctor", "--config", gateway.configuration_file()});
    EXPECT_THAT(found.out + found.err, Not(HasSubstr("gateway-"))) << "the doctor takes our rules for somebody else's";
}

TEST_P(Iptables, HandsItsRulesOverInAnUpgrade)
{
    BothFamilies load(network);
    gateway.runs_with(closing("reject"));
    ASSERT_TRUE(load.are_inspected(3));
    const int before = load.uninspected();
    const auto upgraded = gateway.ctl({"upgrade"});
    ASSERT_EQ(upgraded.exit_code, 0) << upgraded.err << gateway.log();
    EXPECT_TRUE(load.are_inspected(20)) << gateway.log();
    EXPECT_EQ(load.uninspected(), before);
    EXPECT_EQ(status()["rules"].value("missing", "?"), "");
    EXPECT_THAT(status()["rules"].value("backend", ""), StartsWith("iptables"));
    EXPECT_TRUE(eventually([&] { return !gateway.is_running(); }));
    ::kill(status().value("pid", -1), SIGTERM);
    EXPECT_TRUE(eventually([] { return orphans().empty(); }));
    EXPECT_THAT(rules(), Not(HasSubstr("gateway-captures")));
    EXPECT_THAT(rules(), HasSubstr("gateway-refusals")) << "what is to be closed stays closed";
}

TEST_P(Iptables, WorksForAnOrdinaryUserWithTheCapabilitiesOfTheUnit)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_unprivileged_with(web());
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.10/a").status, 200) << gateway.log() << rules();
    EXPECT_EQ(network.client("fd00:1::2").asks("http://[fd00:2::10]/b").status, 200) << gateway.log() << rules();
    EXPECT_EQ(site.last_client(), "fd00:1::2");
    gateway.stops();
    EXPECT_EQ(rules(), "");
}

TEST_P(Iptables, IsNotDisturbedByASecondGateway)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(web());
    const auto before = rules();
    Gateway second(network);
    EXPECT_THAT(second.refuses(web()).err, HasSubstr("stop it first"));
    EXPECT_NE(gateway.ctl({"rules", "remove", "--config", gateway.configuration_file()}).exit_code, 0);
    EXPECT_EQ(rules(), before);
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.10/").status, 200);
}

TEST_P(Iptables, TakesTheDoctorsOwnConnection)
{
    Origin server(network.servers(), "10.0.2.10:80", answers(answer(200, "fine")));
    gateway.runs_with(closing("reject"));
    const auto before = rules(), policy_before = policy();
    const auto examined = gateway.ctl({"doctor", "--probe", "--json", "--config", gateway.configuration_file()});
    int arrived = 0;
    const auto examination = Json::parse(examined.out, nullptr, false);
    for (const auto& finding : examination["findings"]) {
        if (finding.value("id", "") != "probe") continue;
        ++arrived;
        EXPECT_EQ(finding.value("severity", ""), "ok") << finding << gateway.log();
        EXPECT_THAT(finding.value("found", ""), HasSubstr("arrived at listener web with its destination"));
    }
    EXPECT_EQ(arrived, 2) << examined.out;
    EXPECT_EQ(server.received(), "") << "no server hears of it";
    EXPECT_TRUE(eventually([&] { return rules() == before && policy() == policy_before; })) << rules();
}

TEST_P(Iptables, KeepsNothingOfADoctorThatIsKilled)
{
    gateway.runs_with(web());
    const auto before = rules(), policy_before = policy();
    const Command words{
        Gateway::program_file("gatewayctl"), "--socket", gateway.socket_file(), "doctor", "--probe", "--config",
        gateway.configuration_file()};
    const auto links = [&] { return run_well({"ip", "-o", "link"}, network.gateway().place()); };
    for (const int signal : {SIGKILL, SIGINT}) {
        Process doctor(words, network.gateway().place());
        EXPECT_TRUE(eventually([&] { return links().find("gwp") != std::string::npos || !doctor.running(); }));
        EXPECT_THAT(rules(), HasSubstr("gateway_doctor_fwd"));
        doctor.signal(signal);
        doctor.wait();
        EXPECT_TRUE(eventually([&] { return rules() == before && policy() == policy_before; })) << rules();
    }
}

TEST_P(Iptables, GivesWayToNftAndComesBackWithoutATrace)
{
    BothFamilies load(network);
    EXPECT_TRUE(load.pass_by(1));
    bool first = true;
    for (const char* backend : {"iptables", "nft", "iptables"}) {
        SCOPED_TRACE(backend);
        auto yaml = closing("reject");
        const bool nft = std::string_view(backend) == "nft";
        if (nft) yaml.replace(yaml.find("backend: iptables"), 17, "backend: nft");
        const int before = load.uninspected();
        gateway.runs_with(yaml);
        EXPECT_TRUE(load.are_inspected(3)) << gateway.log() << rules();
        if (!std::exchange(first, false)) {
            EXPECT_EQ(load.uninspected(), before) << "it was closed, and stays so";
        }
        EXPECT_EQ(rules().empty(), nft);
        EXPECT_EQ(gateway.rules().empty(), !nft);
        EXPECT_EQ(gateway.kernel_state().find("gateway_guard") == std::string::npos, !nft);
        gateway.is_killed();
        EXPECT_TRUE(load.are_refused(5));
    }
    gateway.runs_with(closing("pass"));
    gateway.stops();
    EXPECT_EQ(rules(), "");
}

TEST_P(Iptables, IsClosedForPacketsInPiecesAfterAStop)
{
    Origin origin(network.servers(), "10.0.2.11:80", echoes_lines());
    const Pieces client(network);
    auto open = client.dials("10.0.2.11:80"); // before there was a gateway
    ASSERT_TRUE(talks(open));
    gateway.runs_with(closing("drop"));
    gateway.stops();
    const Arrivals arrivals(network);
    const auto pieces = client.sent();
    open.sends(std::string(4'000, 'x'));
    ASSERT_TRUE(eventually([&] { return client.sent() > pieces + 5; })) << "nothing was taken to pieces";
    EXPECT_EQ(open.receives_within(Milliseconds{300}), "");
    EXPECT_EQ(arrivals.by(), Arrivals::Count{});
}

// --- the failure matrix; a keeper that is killed: above

struct IptablesRow {
    const char* variant; ///< each of them in every mode and with every `when_down`, not with all of both
    const char* mode;
    const char* when_down;
};

constexpr std::array iptables_rows{
    IptablesRow{"nft", "tproxy", "pass"},     IptablesRow{"legacy", "tproxy", "reject"},
    IptablesRow{"nft", "tproxy", "drop"},     IptablesRow{"legacy", "redirect", "pass"},
    IptablesRow{"nft", "redirect", "reject"}, IptablesRow{"legacy", "redirect", "drop"},
};

class IptablesMatrix : public IptablesLab, public ::testing::WithParamInterface<std::tuple<IptablesRow, Fault>> {
protected:
    std::string variant() const override { return std::get<0>(GetParam()).variant; }
};

TEST_P(IptablesMatrix, HoldsWhatWasChosen)
{
    const auto& [row, fault] = GetParam();
    FaultRow(network, gateway, fault, row.when_down)
        .holds(closing(row.when_down, row.mode), std::string(row.variant) + ' ' + row.mode);
}

INSTANTIATE_TEST_SUITE_P(Rows, IptablesMatrix,
                         ::testing::Combine(::testing::ValuesIn(iptables_rows),
                                            ::testing::Values(faults[1], faults[2], faults[3])),
                         [](const auto& each) {
                             const auto& row = std::get<0>(each.param);
                             return std::string(row.variant) + '_' + row.mode + '_' + row.when_down + '_' +
                                    std::get<1>(each.param).name();
                         });

} // namespace
} // namespace gw::lab
