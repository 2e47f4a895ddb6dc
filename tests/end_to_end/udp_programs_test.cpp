// Programs as they are in use: a name server and its client, a QUIC server and its client.

#include "tests/end_to_end/scene.h"

#include <fstream>
#include <sstream>

namespace gw::lab {
namespace {

constexpr std::string_view both = "listeners:\n"
                                  "  - {name: udp, intercept: {transport: udp, to: [10.0.2.0/24, \"fd00:2::/64\"], "
                                  "ports: [53, 443]}}\n"
                                  "timeouts: {udp_idle: 500ms, udp_unanswered: 500ms, udp_dns_idle: 300ms}\n";

/// Datagrams that arrived at programs in a namespace, or would have if they had been faster.
std::size_t datagrams_arrived(const Namespace& where)
{
    std::size_t total = 0;
    where.inside([&] {
        for (const std::string file : {"snmp", "snmp6"}) {
            std::ifstream text("/proc/thread-self/net/" + file);
            std::vector<std::string> names;
            for (std::string line; std::getline(text, line);) {
                std::istringstream words(line);
                std::string word;
                words >> word;
                if (word == "Udp6InDatagrams" || word == "Udp6InErrors" || word == "Udp6NoPorts") {
                    std::size_t count = 0;
                    words >> count;
                    total += count;
                } else if (word == "Udp:" && names.empty()) {
                    while (words >> word) names.push_back(word);
                } else if (word == "Udp:") {
                    for (const auto& name : names) {
                        words >> word;
                        if (name == "InDatagrams" || name == "InErrors" || name == "NoPorts") total += std::stoul(word);
                    }
                }
            }
        }
    });
    return total;
}

std::vector<Json> flows_of(Gateway& gateway, std::size_t count)
{
    std::vector<Json> flows;
    EXPECT_TRUE(eventually([&] {
        flows.clear();
        for (auto& each : gateway.records())
            if (each.value("kind", "") == "flow") flows.push_back(each);
        return flows.size() >= count;
    }));
    return flows;
}

TEST_F(Appliance, PassesNamesOnForDebiansNameServer)
{
    if (run({"dnsmasq", "--version"}).exit_code != 0 || run({"dig", "-v"}).exit_code != 0)
        GTEST_SKIP() << "needs dnsmasq-base and bind9-dnsutils";
    Process server({"dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
                    "--pid-file", "--bind-interfaces", "--listen-address=10.0.2.10", "--listen-address=fd00:2::10",
                    "--address=/site.example/192.0.2.80", "--address=/site.example/2001:db8::80", "--log-queries",
                    "--log-facility=-",
                    "--txt-record=long.example," + std::string(250, 'a') + "," + std::string(250, 'b') + "," +
                        std::string(250, 'c')},
                   network.servers().place());
    ASSERT_TRUE(server.wrote([](auto& out, auto& err) { return (out + err).find("started") != std::string::npos; }));
    gateway.runs_with(both);
    const auto asks = [&](Command words) {
        Command command{"dig", "+time=5", "+tries=1", "+short"};
        command.insert(command.end(), words.begin(), words.end());
        return run(command, network.clients().place()).out;
    };

    EXPECT_EQ(asks({"-b", "10.0.1.3", "@10.0.2.10", "site.example", "A"}), "192.0.2.80\n");
    EXPECT_EQ(asks({"-b", "fd00:1::4", "@fd00:2::10", "site.example", "AAAA"}), "2001:db8::80\n");
    EXPECT_THAT(asks({"-b", "10.0.1.5", "+bufsize=4096", "@10.0.2.10", "long.example", "TXT"}),
                HasSubstr(std::string(250, 'c')));

    EXPECT_TRUE(server.wrote([](auto& out, auto& err) {
        const auto all = out + err;
        return all.find("query[A] site.example from 10.0.1.3") != std::string::npos &&
               all.find("query[AAAA] site.example from fd00:1::4") != std::string::npos &&
               all.find("query[TXT] long.example from 10.0.1.5") != std::string::npos;
    })) << server.err();
    for (const auto& flow : flows_of(gateway, 3)) {
        EXPECT_EQ(flow.value("from_client_datagrams", 0), 1) << flow;
        EXPECT_EQ(flow.value("to_client_datagrams", 0), 1) << flow;
        EXPECT_EQ(flow.value("ended", ""), "idle") << flow;
    }
}

TEST_F(Appliance, PassesQuicOnWithAsManyDatagramsAtBothEnds)
{
    constexpr std::size_t size = 8 * 1024 * 1024;
    if (run({"gtlsserver", "--help"}).exit_code != 0 || run({"gtlsclient", "--help"}).exit_code != 0)
        GTEST_SKIP() << "needs ngtcp2-server and ngtcp2-client";
    const Folder folder, download;
    std::string bytes(size, '\0');
    std::uint32_t state = 7;
    for (auto& byte : bytes) byte = static_cast<char>((state = state * 1'664'525 + 1'013'904'223) >> 24);
    folder.write("file", bytes);
    run_well({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
              "1", "-subj", "/CN=site.example", "-keyout", folder.path("key"), "-out", folder.path("certificate")});
    gateway.runs_with(both);

    for (const auto& [server_at, client_at] : {std::pair{"10.0.2.10", "10.0.1."}, {"fd00:2::10", "fd00:1::"}}) {
        Process server(
            {"gtlsserver", "-q", "-d", folder.path(), server_at, "443", folder.path("key"), folder.path("certificate")},
            network.servers().place());
        ASSERT_TRUE(eventually([&] {
            return run({"ss", "-Hlun", "sport", "=", ":443"}, network.servers().place()).out.find(":443") !=
                   std::string::npos;
        }));
        const auto clients_before = datagrams_arrived(network.clients());
        const auto servers_before = datagrams_arrived(network.servers());
        const auto known = flows_of(gateway, 0).size();

        const auto fetched = run({"gtlsclient", "-q", "--exit-on-all-streams-close", "--download=" + download.path(),
                                  server_at, "443", "https://site.example/file"},
                                 network.clients().place(), Milliseconds{60'000});

        EXPECT_EQ(fetched.exit_code, 0) << fetched.err;
        EXPECT_TRUE(read_file(download.path("file")) == bytes) << "the file came out differently";
        const auto flow = flows_of(gateway, known + 1).back();
        EXPECT_THAT(flow.value("client", ""), HasSubstr(client_at));
        const Endpoint there{*Address::parse(server_at), 443};
        EXPECT_EQ(flow.value("destination", ""), there.text());
        EXPECT_GT(flow.value("to_client_bytes", std::size_t{0}), size);
        EXPECT_EQ(flow.value("from_client_datagrams", std::size_t{0}),
                  datagrams_arrived(network.servers()) - servers_before);
        // The kernel counts what is read, and the client ends with its file, whatever the server says after that.
        constexpr std::size_t unread = 3;
        const auto read = datagrams_arrived(network.clients()) - clients_before;
        EXPECT_GE(flow.value("to_client_datagrams", std::size_t{0}), read);
        EXPECT_LE(flow.value("to_client_datagrams", std::size_t{0}), read + unread);
        EXPECT_EQ(flow.value("dropped_datagrams", std::size_t{1}), 0U);
        std::printf("%s: %zu datagrams from the client, %zu to it\n", server_at,
                    flow.value("from_client_datagrams", std::size_t{0}),
                    flow.value("to_client_datagrams", std::size_t{0}));
    }
}

} // namespace
} // namespace gw::lab
