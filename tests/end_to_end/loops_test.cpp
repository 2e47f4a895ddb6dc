// Two gateways that lead to each other, and one that is led to itself: it stops, is bounded, and is over at once when
// its cause is.

#include "tests/end_to_end/scene.h"

#include <filesystem>

namespace gw::lab {
namespace {

class Loops : public Appliance {
protected:
    static std::size_t descriptors_of(const Gateway& gateway)
    {
        std::size_t count = 0;
        for (const int id : gateway.process_ids("gateway-data")) {
            std::error_code failed;
            for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(id) + "/fd", failed))
                count += entry.path().empty() ? 0 : 1;
        }
        return count;
    }
    static Json status_of_gateway(const Gateway& gateway)
    {
        auto json = Json::parse(gateway.ctl({"status", "--json"}).out, nullptr, false);
        return json.is_object() ? json : Json::object();
    }
    static std::size_t active(const Gateway& gateway)
    {
        return status_of_gateway(gateway)["totals"].value("connections_active", std::size_t{0});
    }
    static std::size_t total(const Gateway& gateway)
    {
        return status_of_gateway(gateway)["totals"].value("connections", std::size_t{0});
    }

    /// One gateway at `port` that passes everything on to `next`; TLS that is for loop.example.
    static std::string leading_to(int port, int next, std::string_view protocol, std::string_view more = "")
    {
        const bool http = protocol == "http"; // the next one is asked by its own name
        return "listeners: [{name: round, bind: [\"10.0.1.1:" + std::to_string(port) +
               "\"], protocol: " + std::string(protocol) + "}]\nroutes: [{" + (http ? "" : "host: loop.example, ") +
               "to: \"" + (http ? "http" : "https") + "://10.0.1.1:" + std::to_string(next) + "/\"}]\n" +
               std::string(more);
    }
    /// A standby process comes a moment after the start, with descriptors of its own.
    static std::size_t settled_descriptors_of(const Gateway& gateway)
    {
        EXPECT_TRUE(eventually([&] { return status_of_gateway(gateway).value("standby_ready", true); }));
        return descriptors_of(gateway);
    }

    std::unique_ptr<Gateway> other_made_ = network_made_ ? std::make_unique<Gateway>(*network_made_) : nullptr;
    Gateway& other = *other_made_;
};

TEST_F(Loops, OfRequestsBetweenTwoGatewaysStopAfterAFewPasses)
{
    gateway.runs_with(leading_to(8001, 8002, "http"));
    other.runs_with(leading_to(8002, 8001, "http"));

    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.1.1:8001/", {"-H", "Host: loop.example"}).status, 508);

    // Those who passed the answer on have it in their records, too.
    const auto record = gateway.record(
        [](const Json& each) { return each.value("status", 0) == 508 && each.value("end", "") == "denied"; });
    EXPECT_THAT(record.value("what", ""), HasSubstr("loop"));
    const auto passes = total(gateway) + total(other);
    std::printf("{\"figure\": \"loop of requests\", \"requests\": 20, \"connections\": %zu}\n", passes);
    EXPECT_LE(passes, 20U * 10) << "more than four passes each";

    // The cause ends: the next request is served, at once.
    Origin origin(network.servers(), "10.0.2.11:9000", echoes());
    other.reloads("listeners: [{name: round, bind: [\"10.0.1.1:8002\"], protocol: http}]\n"
                  "routes: [{to: \"http://10.0.2.11:9000/\"}]\n");
    // Over the new configuration; connections kept from before may still lead round once.
    EXPECT_TRUE(eventually([&] {
        return network.client("10.0.1.2").asks("http://10.0.1.1:8001/", {"-H", "Host: loop.example"}).status == 200;
    }));
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.1.1:8001/", {"-H", "Host: loop.example"}).status, 200);
}

TEST_F(Loops, OfRequestsLetOneThroughThatPassesTwice)
{
    Origin origin(network.servers(), "10.0.2.11:9000", echoes());
    gateway.runs_with("listeners: [{name: round, bind: [\"10.0.1.1:8001\"], protocol: http}]\nroutes:\n"
                      "  - {host: first.example, to: \"http://10.0.1.1:8002/\"}\n"
                      "  - {host: 10.0.1.1, to: \"http://10.0.2.11:9000/\"}\n");
    other.runs_with("listeners: [{name: round, bind: [\"10.0.1.1:8002\"], protocol: http}]\n"
                    "routes: [{to: \"http://10.0.1.1:8001/\"}]\n");
    const auto answer = network.client("10.0.1.2").asks("http://10.0.1.1:8001/", {"-H", "Host: first.example"});
    EXPECT_EQ(answer.status, 200) << answer.said;
    std::size_t passes = 0;
    for (auto at = answer.body.find("CDN-Loop: "); at != std::string::npos; at = answer.body.find("CDN-Loop: ", at + 1))
        ++passes;
    EXPECT_EQ(passes, 3U) << answer.body;
}

TEST_F(Loops, OfConnectionsAreBoundedByTheLimitOfAClientAndEndAtOnce)
{
    gateway.runs_with(leading_to(8001, 8002, "tls", "limits: {per_client: 40}\n"));
    other.runs_with(leading_to(8002, 8001, "tls", "limits: {per_client: 40}\n"));
    const auto before = settled_descriptors_of(gateway) + settled_descriptors_of(other);

    // Each pass is a new connection of the same address: the forty-first is turned away, and all of them fall.
    for (int i = 0; i < 5; ++i) {
        const auto answer =
            network.client("10.0.1.2").asks("https://loop.example:8001/", {"--resolve", "loop.example:8001:10.0.1.1"});
        EXPECT_NE(answer.exit_code, 0);
    }
    EXPECT_TRUE(eventually([&] { return active(gateway) + active(other) == 0; }));
    const auto passes = total(gateway) + total(other);
    std::printf("{\"figure\": \"loop of connections\", \"rounds\": 5, \"per_client\": 40, \"connections\": %zu}\n",
                passes);
    EXPECT_LE(passes, 5U * 2 * 42);
    EXPECT_TRUE(eventually([&] { return descriptors_of(gateway) + descriptors_of(other) <= before + 8; }))
        << before << " descriptors became " << descriptors_of(gateway) + descriptors_of(other);
    const auto turned_away = status_of_gateway(gateway)["totals"].value("turned_away", 0) +
                             status_of_gateway(other)["totals"].value("turned_away", 0);
    EXPECT_GE(turned_away, 5);

    WebServer site(network, "site.example", 10);
    other.reloads("listeners: [{name: round, bind: [\"10.0.1.1:8002\"], protocol: tls}]\n"
                  "routes: [{host: loop.example, to: \"https://10.0.2.10/\"}]\n");
    const auto answer =
        network.client("10.0.1.2").asks("https://loop.example:8001/", {"--resolve", "loop.example:8001:10.0.1.1"});
    EXPECT_EQ(answer.status, 200) << answer.said;
}

TEST_F(Loops, ToItselfAreRefusedBeforeAnythingIsDialled)
{
    gateway.runs_with(intercepting(R"(
  - {name: public, bind: ["10.0.1.1:8000", "[fd00:1::1]:8000"], protocol: http}
routes:
  - {host: ":host.example", listeners: [public], to: "http://10.0.1.1:8000/"}
  - {host: ":a.:b.:c.:d", listeners: [public], to: "http://:a.:b.:c.:d:8000/"}
)"));
    const auto status = [&](const char* host) {
        return network.client("10.0.1.2").asks("http://10.0.1.1:8000/", {"-H", std::string("Host: ") + host}).status;
    };
    const auto before = settled_descriptors_of(gateway);
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(status("self.example"), 502) << "a route that leads to its own listener";
        for (const auto* host : {"10.0.1.1", "127.0.0.1", "0.0.0.0", "10.0.2.1"}) EXPECT_GE(status(host), 400) << host;
    }
    // DNAT hairpin: the destination is an address of the gateway, which it must not dial for a client.
    const auto port = [&] { // of an intercepting listener, which waits at a loopback address
        const auto rules = gateway.ctl({"rules", "show"}).out;
        const auto at = rules.find("127.0.0.1:");
        return at == std::string::npos
                   ? std::string()
                   : rules.substr(at + 10, rules.find_first_not_of("0123456789", at + 10) - at - 10);
    }();
    if (!port.empty()) {
        const auto direct =
            run({"curl", "--silent", "--max-time", "5", "http://127.0.0.1:" + port + "/"}, network.gateway().place());
        EXPECT_NE(direct.exit_code, 0);
    }
    EXPECT_EQ(status_of_gateway(gateway)["totals"].value("upstream_connections", 1), 0);
    EXPECT_TRUE(eventually([&] { return descriptors_of(gateway) <= before + 2; }));
}

} // namespace
} // namespace gw::lab
