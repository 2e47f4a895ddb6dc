// Rules that somebody else made: on this host, where conntrack knows the destination, or on another one, where the name
// in the request must say it.

#include "tests/end_to_end/mechanisms.h"

namespace gw::lab {
namespace {

/// Another box on the clients' side leads their connections to the gateway; its conntrack knows, ours does not.
void another_box_leads_here(const Network& network, const std::string& more = "")
{
    somebody_adds(network.clients(),
                  "table ip box { chain c { type nat hook output priority -100;\n"
                  "ip daddr 10.0.2.0/24 tcp dport { 25, 80, 443, 8000-8100 } dnat to 10.0.1.1:15001\n" +
                      more + "}\n}\n");
}

constexpr const char* bound = "[\"0.0.0.0:15001\"]";

TEST_F(Appliance, GoesByTheNameWhenAnotherBoxLeadsHere)
{
    WebServer site(network, "site.example", 10);
    Origin origin(network.servers(), "10.0.2.11:8000", echoes());
    another_box_leads_here(network);
    gateway.knows_hosts("10.0.2.10 site.example\n10.0.2.11 other.example\n");
    for (const bool tracked : {false, true}) {
        if (tracked) tracks_connections(network.gateway());
        if (!gateway.is_running()) gateway.runs_with(by_mode("external", bound));
        const auto number = std::to_string(tracked);
        const auto client = network.client(tracked ? "10.0.1.3" : "10.0.1.2");

        EXPECT_EQ(client.asks("http://10.0.2.11:8000/a" + number, {"-H", "Host: other.example:8000"}).status, 200);
        EXPECT_EQ(client.asks("http://10.0.2.11:80/b" + number, {"-H", "Host: site.example"}).status, 200);
        const auto tls = client.asks("https://site.example/c" + number);
        EXPECT_EQ(tls.status, 200) << tls.said << gateway.log();
        EXPECT_THAT(tls.certificate, HasSubstr(site.certificate()));

        const auto record = gateway.connection_record(client.address());
        EXPECT_EQ(record.value("recovered", ""), "name") << record;
        EXPECT_EQ(gateway.request_record("/a" + number).value("upstream", ""), "10.0.2.11:8000");
        EXPECT_EQ(gateway.request_record("/b" + number).value("upstream", ""), "10.0.2.10:80");
    }
    EXPECT_EQ(origin.client_of(0).address.text(), "10.0.1.2") << "the client's address is kept all the same";
}

TEST_F(Appliance, GoesByTheNameOnlyWhereTheListenerMay)
{
    Origin allowed(network.servers(), "10.0.2.11:8000", echoes());
    Origin excepted(network.servers(), "10.0.2.12:8000", echoes());
    Origin elsewhere(network.servers(), "10.0.2.11:9000", echoes());
    Origin mixed(network.servers(), "10.0.2.13:8000", echoes());
    gateway.knows_hosts("10.0.2.11 good.example\n10.0.2.12 excepted.example\n127.0.0.1 local.example\n"
                        "10.0.1.1 own.example\n10.0.1.5 client.example\n"
                        "10.0.2.12 mixed.example\n10.0.2.13 mixed.example\n");
    gateway.runs_with(R"(
listeners:
  - name: web
    intercept: {mode: external, to: [0.0.0.0/0], ports: [8000, 15001], except: {to: [10.0.2.12]}}
    bind: ["0.0.0.0:15001"]
)");
    const auto status = [&](const std::string& host) {
        return status_of(network.client("10.0.1.2"), "10.0.1.1:15001", request("GET", "/x", host));
    };

    EXPECT_EQ(status("good.example:8000"), 200);
    EXPECT_EQ(status("mixed.example:8000"), 200) << "the address that may be used is used";
    for (const char* host : {"excepted.example:8000", "10.0.2.12:8000", "good.example:9000", "good.example",
                             "local.example:8000", "own.example:15001", "10.0.1.1:15001", "127.0.0.1:15001",
                             "0.0.0.0:15001", "localhost:15001", "unknown.example:8000", "[::1]:15001"})
        EXPECT_GE(status(host), 400) << host;

    EXPECT_EQ(excepted.connections(), 0u);
    EXPECT_EQ(elsewhere.connections(), 0u);
    for (const auto& record : gateway.records())
        EXPECT_THAT(record.value("upstream", ""), Not(EndsWith(":15001"))) << record;
}

TEST_F(Appliance, RefusesWhatNothingSaysTheDestinationOf)
{
    gateway.runs_with(by_mode("external", bound));

    auto client = network.client("10.0.1.2").dials("10.0.1.1:15001");
    client.sends("\x01 hello\n");
    EXPECT_EQ(client.receives_all(), "");

    const auto record = gateway.connection_record("10.0.1.2");
    EXPECT_EQ(record.value("end", ""), "denied") << record;
    EXPECT_THAT(record.value("what", ""), HasSubstr("nothing says where it was going")) << record;
    auto nameless = network.client("10.0.1.3").dials("10.0.1.1:15001");
    nameless.sends("GET /nameless HTTP/1.0\r\n\r\n");
    nameless.receives_all();
    const auto request = gateway.request_record("/nameless");
    EXPECT_EQ(request.value("end", ""), "denied") << request;
    EXPECT_FALSE(request.contains("upstream")) << request;
}

TEST_F(Appliance, RefusesWhatRulesLeadHereFromBeyondTheListener)
{
    Origin origin(network.servers(), "10.0.2.11:8000", echoes());
    somebody_leads_here(network, ByHand::redirect);
    gateway.runs_with(R"(
listeners:
  - name: web
    intercept: {mode: external, to: [10.0.2.0/24], ports: [8000], except: {from: [10.0.1.9], to: [10.0.2.12]}}
    bind: ["0.0.0.0:15001"]
)");
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11:8000/").status, 200);

    for (const auto& [client, server] : {std::pair{"10.0.1.3", "10.0.2.11:8001"}, // a port
                                         {"10.0.1.4", "10.0.2.12:8000"},          // an excepted destination
                                         {"10.0.1.9", "10.0.2.11:8000"}}) {       // an excepted client
        network.client(client).asks("http://" + std::string(server) + "/", {"--max-time", "5"});
        const auto record = gateway.connection_record(client);
        EXPECT_EQ(record.value("end", ""), "denied") << record;
    }
    EXPECT_EQ(origin.connections(), 1u);
    EXPECT_THAT(gateway.ctl({"metrics"}).out, HasSubstr("fault=\"denied\""));
}

TEST_F(Appliance, RefusesADestinationThatConntrackHasTheWrongWayRound)
{
    // The client's packets pass unseen by conntrack, so it begins with the gateway's answer.
    tracks_connections(network.gateway());
    somebody_adds(network.gateway(), "table inet half { chain c { type filter hook prerouting priority raw;\n"
                                     "iifname \"inside\" tcp dport 15001 notrack\n}\n}\n");
    gateway.runs_with(by_mode("external", bound));

    auto client = network.client("10.0.1.2").dials("10.0.1.1:15001", 0, Milliseconds{3'000});
    if (client.connected()) {
        client.sends(request("GET", "/", "10.0.1.2:8000"));
        client.receives_until("\r\n"); // 403, or nothing
    }

    for (const auto& record : gateway.records()) EXPECT_EQ(record.value("upstream", ""), "") << record;
}

TEST_F(Appliance, InstallsNothingForOthersRulesWithItsOwnAddress)
{
    Origin origin(network.servers(), "10.0.2.11:8000", echoes());
    somebody_leads_here(network, ByHand::dnat);
    const auto before = gateway.kernel_state();
    gateway.runs_with(by_mode("external", "[\"0.0.0.0:15001\", \"[::]:15001\"]", "client_address: gateway"));

    EXPECT_EQ(gateway.kernel_state(), before);
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11:8000/x").status, 200);

    EXPECT_EQ(origin.client_of(0).address.text(), "10.0.2.1");
    EXPECT_EQ(gateway.request_record("/x").value("destination", ""), "10.0.2.11:8000");
}

} // namespace
} // namespace gw::lab
