// gatewayctl against a running gateway, and gatewayd's own options.

#include "tests/end_to_end/scene.h"

namespace gw::lab {
namespace {

class Ctl : public Appliance {
protected:
    Json asks(Command words) const
    {
        words.push_back("--json");
        const auto output = gateway.ctl(words);
        auto json = Json::parse(output.out, nullptr, false);
        EXPECT_TRUE(json.is_object()) << words[0] << ": " << output.out << output.err;
        return json.is_object() ? json : Json::object();
    }
};

TEST_F(Ctl, ShowsTheStatusForPeopleAndPrograms)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting("waf: {mode: detect}"));
    network.client("10.0.1.2").asks("http://site.example/");

    Json status;
    EXPECT_TRUE(eventually([&] { return (status = asks({"status"}))["totals"].value("requests", 0) == 1; })) << status;
    EXPECT_EQ(status.value("state", ""), "ok");
    EXPECT_EQ(status.value("pid", 0), gateway.process().id());
    EXPECT_TRUE(status["rules"].value("installed", false));
    EXPECT_EQ(status["rules"].value("missing", "?"), "");
    EXPECT_EQ(status["listeners"][0].value("name", ""), "web");
    EXPECT_EQ(status["responses"].value("2xx", 0), 1);
    EXPECT_EQ(status["waf"].value("inspected", 0), 1);
    const auto screen = gateway.ctl({"status"});
    EXPECT_EQ(screen.exit_code, 0);
    for (const auto* word : {"web", "detect", "installed"}) EXPECT_THAT(screen.out, HasSubstr(word));
    EXPECT_THAT(screen.out, Not(HasSubstr("\x1b"))) << "colours without a terminal";
}

TEST_F(Ctl, ShowsConnectionsUnderWay)
{
    Origin origin(network.servers(), "10.0.2.11:8001",
                  [](Origin::Connection& connection) { connection.receives_all(); });
    gateway.runs_with(intercepting());
    auto client = network.client("10.0.1.2").dials("10.0.2.11:8001", 40'001);
    client.sends("\x01\x02\x03\x04");
    ASSERT_TRUE(origin.waits_for_connections(1));

    Json connections;
    EXPECT_TRUE(eventually([&] {
        connections = asks({"connections"})["connections"];
        return connections.size() == 1 && connections[0].value("state", "") == "relaying";
    })) << connections;
    EXPECT_EQ(connections[0].value("client", ""), "10.0.1.2:40001");
    EXPECT_EQ(connections[0].value("destination", ""), "10.0.2.11:8001");
    EXPECT_EQ(connections[0].value("upstream", ""), "10.0.2.11:8001");
    client.closes();
    EXPECT_TRUE(eventually([&] { return asks({"connections"})["connections"].empty(); }));
}

TEST_F(Ctl, ShowsTheLogWithFilters)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting("routes: [{path: /missing, to: \"respond:404 no\"}]"));
    network.client("10.0.1.2").asks("http://site.example/one");
    network.client("10.0.1.3").asks("http://site.example/missing");
    gateway.request_record("/missing");

    const auto all = gateway.ctl({"log", "--json", "--kind", "request"});
    EXPECT_THAT(all.out, HasSubstr("/one"));
    EXPECT_THAT(all.out, HasSubstr("/missing"));
    const auto failed = gateway.ctl({"log", "--json", "--status", "4xx"});
    EXPECT_THAT(failed.out, Not(HasSubstr("/one")));
    EXPECT_THAT(failed.out, HasSubstr("/missing"));
    const auto of_client = gateway.ctl({"log", "--json", "--client", "10.0.1.2"});
    EXPECT_THAT(of_client.out, HasSubstr("/one"));
    EXPECT_THAT(of_client.out, Not(HasSubstr("/missing")));
    EXPECT_EQ(gateway.ctl({"log"}).exit_code, 0);
}

TEST_F(Ctl, ShowsTheRulesInForceAndMissesWhatSomebodyTookAwayUntilItIsPutBack)
{
    gateway.runs_with(intercepting());
    const auto rules = gateway.ctl({"rules", "show"});
    EXPECT_EQ(rules.exit_code, 0) << rules.err;
    EXPECT_THAT(rules.out, HasSubstr("tproxy"));
    EXPECT_THAT(rules.out, HasSubstr("10.0.2.0/24"));

    // Nothing can be put back while the interface is down that the route leads to.
    const auto place = network.gateway().place();
    run_well({"ip", "link", "set", "lo", "down"}, place);
    const auto missing = gateway.ctl({"rules", "show"});
    EXPECT_EQ(missing.exit_code, 1) << missing.out << missing.err;
    EXPECT_EQ(gateway.ctl({"status"}).exit_code, 1);
    run_well({"ip", "link", "set", "lo", "up"}, place);
    EXPECT_TRUE(eventually([&] { return gateway.ctl({"rules", "show"}).exit_code == 0; })) << gateway.log();
    EXPECT_EQ(gateway.ctl({"status"}).exit_code, 0);
}

TEST_F(Ctl, PrintsTheRulesThatItWouldInstall)
{
    gateway.is_given(intercepting());
    const auto shown = gateway.program("gatewayd", {"--config", gateway.configuration_file(), "--show-rules"});
    EXPECT_EQ(shown.exit_code, 0) << shown.err;
    EXPECT_THAT(shown.out, HasSubstr("tproxy"));
    EXPECT_EQ(gateway.rules(), "");
}

TEST_F(Ctl, ExplainsARequestWithoutTheDaemon)
{
    gateway.is_given(intercepting("routes: [{host: shop.example, path: /a, to: \"respond:200 hi\"}]"));
    const auto explained = gateway.ctl({"explain", "--config", gateway.configuration_file(), "--to", "10.0.2.10",
                                        "--client", "10.0.1.2", "http://shop.example/a/b"});
    EXPECT_EQ(explained.exit_code, 0) << explained.err;
    for (const auto* word : {"web", "TAKEN", "200", "gateway.yaml:"}) EXPECT_THAT(explained.out, HasSubstr(word));
}

TEST_F(Ctl, ChecksAFileWithItsEveryMistake)
{
    gateway.is_given("listeners: [{intercept: {to: [10.0.2.0/24], prots: [80]}}]\nwaf: {mode: maybe}\nadmin: {}\n");
    for (const auto& output : {gateway.ctl({"check", gateway.configuration_file()}),
                               gateway.program("gatewayd", {"--config", gateway.configuration_file(), "--check"})}) {
        EXPECT_EQ(output.exit_code, 1);
        const auto said = output.out + output.err;
        EXPECT_THAT(said, HasSubstr("did you mean \"ports\"?"));
        EXPECT_THAT(said, HasSubstr("gateway.yaml:2:"));
    }
    gateway.is_given(intercepting());
    EXPECT_EQ(gateway.ctl({"check", gateway.configuration_file()}).exit_code, 0);
    EXPECT_EQ(gateway.program("gatewayd", {"--config", gateway.configuration_file(), "--check"}).exit_code, 0);
}

TEST_F(Ctl, EndsWithCodesThatScriptsCanUse)
{
    EXPECT_EQ(gateway.ctl({"status"}).exit_code, 3) << "nothing runs";
    EXPECT_EQ(gateway.ctl({"nonsense"}).exit_code, 2);
    EXPECT_EQ(gateway.ctl({"check", "/nowhere.yaml"}).exit_code, 1);
    gateway.runs_with(intercepting());
    EXPECT_EQ(gateway.ctl({"status"}).exit_code, 0);
    auto stranger = network.gateway().place();
    stranger.user = 64'321;
    EXPECT_EQ(
        run({Gateway::program_file("gatewayctl"), "--socket", gateway.socket_file(), "status"}, stranger).exit_code, 4);
    EXPECT_THAT(gateway.ctl({"version"}).out, HasSubstr("gatewayd"));
    EXPECT_EQ(gateway.program("gatewayd", {"--version"}).exit_code, 0);
}

TEST_F(Ctl, ServesPrometheusMetrics)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting("admin: {socket: " + gateway.socket_file() + ", metrics: \"10.0.1.1:9901\"}"));
    network.client("10.0.1.2").asks("http://site.example/");
    const auto from_network = network.client("10.0.1.2").asks("http://10.0.1.1:9901/metrics");
    EXPECT_EQ(from_network.status, 200);
    EXPECT_THAT(from_network.body, HasSubstr("# TYPE gateway_"));
    EXPECT_THAT(from_network.header("content-type"), HasSubstr("text/plain"));
    EXPECT_THAT(gateway.ctl({"metrics"}).out, HasSubstr("_total"));
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.1.1:9901/v1/status").status, 404);
}

} // namespace
} // namespace gw::lab
