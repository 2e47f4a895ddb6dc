// gatewayctl explain CONNECTION, and the list of connections: while they run, and after they ended.

#include "tests/end_to_end/scene.h"

#include <csignal>
#include <cstdlib>
#include <deque>

namespace gw::lab {
namespace {

class Explains : public Appliance {
protected:
    Json explains(const std::string& what) const
    {
        const auto output = gateway.ctl({"explain", what, "--json"});
        EXPECT_EQ(output.exit_code, 0) << what << ": " << output.out << output.err;
        auto json = Json::parse(output.out, nullptr, false);
        return json.is_object() ? json : Json::object();
    }
    Json connections(Command words = {}) const
    {
        words.insert(words.begin(), {"connections", "--json"});
        const auto output = gateway.ctl(words);
        auto json = Json::parse(output.out, nullptr, false);
        EXPECT_TRUE(json.is_object()) << output.out << output.err;
        return json.is_object() ? json : Json::object();
    }
};

TEST_F(Explains, ALiveConnectionWithWhatCaughtItAndWhereItGoes)
{
    Origin origin(network.servers(), "10.0.2.11:8001", [](Origin::Connection& connection) {
        connection.receives(4);
        connection.sends("welcome");
        connection.receives_all();
    });
    gateway.runs_with(intercepting());
    auto client = network.client("10.0.1.2").dials("10.0.2.11:8001", 40'001);
    client.sends("\x01\x02\x03\x04");
    EXPECT_EQ(client.receives(7), "welcome");

    Json json;
    EXPECT_TRUE(eventually([&] { return (json = explains("10.0.1.2:40001")).value("state", "") == "relaying"; }))
        << json;
    EXPECT_TRUE(json.value("live", false));
    const auto& capture = json["capture"];
    EXPECT_EQ(capture.value("listener", ""), "web");
    EXPECT_THAT(capture.value("where", ""), HasSubstr("gateway.yaml:3:"));
    EXPECT_EQ(capture.value("mode", ""), "tproxy");
    EXPECT_EQ(capture.value("destination", ""), "10.0.2.11:8001");
    EXPECT_EQ(capture.value("recovered", ""), "socket_name");
    EXPECT_EQ(capture["kernel"].value("mark", ""), "0x01000000/0x03000000");
    EXPECT_THAT(capture["kernel"].value("policy_rule", ""), HasSubstr("lookup 7373"));
    ASSERT_FALSE(capture["rules"].empty()) << "no rule of the listener was found in the rules in force";
    for (const auto& rule : capture["rules"]) EXPECT_THAT(rule.get<std::string>(), HasSubstr("web"));
    EXPECT_EQ(json["peek"].value("protocol", ""), "other");
    EXPECT_EQ(json["upstream"].value("address", ""), "10.0.2.11:8001");
    EXPECT_TRUE(json["upstream"].value("source_kept", false));
    EXPECT_EQ(json["traffic"].value("from_client_bytes", 0), 4);
    EXPECT_EQ(json["traffic"].value("to_client_bytes", 0), 7);
    EXPECT_GT(json["timings"].value("peek_ms", 0.0), 0);
    EXPECT_GT(json["timings"].value("dial_ms", 0.0), 0);
    EXPECT_GT(json["timings"].value("first_byte_ms", 0.0), 0);
    EXPECT_TRUE(json["end"].is_null());

    const auto page = gateway.ctl({"explain", json.value("id", "")});
    EXPECT_EQ(page.exit_code, 0);
    for (const auto* word :
         {"under way: relaying", "intercept, tproxy \"web\"", "mark 0x01000000", "TPROXY:", "10.0.2.11:8001"})
        EXPECT_THAT(page.out, HasSubstr(word));
    client.closes();
}

TEST_F(Explains, AnEndedHttpConnectionWithItsRouteAndNearMisses)
{
    Origin origin(network.servers(), "10.0.2.11:9000", echoes());
    WebServer site(network, "shop.example", 10);
    gateway.runs_with(intercepting(R"(
routes:
  - {host: shop.example, path: /b, to: "respond:200 b"}
  - {host: shop.example, path: /a, method: POST, to: "respond:200 a"}
  - {host: shop.example, path: /a, to: "http://10.0.2.11:9000/"}
)"));
    auto client = network.client("10.0.1.3").dials("10.0.2.10:80", 40'002);
    for (const auto* target : {"/a/1", "/a/2"}) {
        client.sends(request("GET", target, "shop.example"));
        EXPECT_TRUE(receive_message(client).whole);
    }
    client.closes();
    const auto id = gateway.connection_record("10.0.1.3").value("id", "");

    for (const auto& what : {id, id + "-2", std::string("10.0.1.3:40002")}) {
        const auto json = explains(what);
        EXPECT_EQ(json.value("id", ""), id);
        EXPECT_EQ(json.value("state", ""), "ended");
        EXPECT_EQ(json["peek"].value("protocol", ""), "http1");
        EXPECT_EQ(json["route"].value("asked", ""), "GET shop.example/a/2");
        ASSERT_EQ(json["route"]["tried"].size(), 3U) << json["route"];
        EXPECT_EQ(json["route"]["tried"][0].value("result", ""), "near miss");
        EXPECT_THAT(json["route"]["tried"][1].value("why", ""), HasSubstr("method GET is not POST"));
        EXPECT_EQ(json["route"]["tried"][2].value("result", ""), "taken");
        EXPECT_THAT(json["route"]["tried"][2].value("where", ""), HasSubstr("gateway.yaml:8:"));
        EXPECT_EQ(json["upstream"].value("address", ""), "10.0.2.11:9000");
        EXPECT_EQ(json["upstream"].value("upstream_reuses", 0), 1);
        EXPECT_EQ(json["upstream"].value("upstream_connections", 0), 1);
        EXPECT_EQ(json["traffic"].value("requests", 0), 2);
        EXPECT_EQ(json["requests"].size(), 2U);
        EXPECT_EQ(json["end"].value("result", ""), "ok");
    }
    EXPECT_THAT(gateway.ctl({"explain", id}).out, HasSubstr("near miss: host"));

    gateway.reloads(intercepting());
    const auto later = explains(id);
    EXPECT_FALSE(later["configuration"].value("same", true)) << later;
    EXPECT_THAT(later["route"].value("note", ""), HasSubstr("no longer there"));
}

TEST_F(Explains, TlsByItsNameAndWhyItEnded)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting("routes: [{host: site.example, path: /a, to: \"respond:200 a\"}]"));
    EXPECT_EQ(network.client("10.0.1.4").asks("https://site.example/").status, 200);
    const auto id = gateway.connection_record("10.0.1.4").value("id", "");
    const auto json = explains(id);
    EXPECT_EQ(json["peek"].value("server_name", ""), "site.example");
    EXPECT_THAT(json["peek"].value("alpn", ""), HasSubstr("http/1.1"));
    EXPECT_THAT(json["route"]["tried"][0].value("why", ""), HasSubstr("cannot be seen in TLS"));
    EXPECT_EQ(json["upstream"].value("address", ""), "10.0.2.10:443");

    auto refused = network.client("10.0.1.5").dials("10.0.2.11:8050");
    refused.sends("\x01\x02\x03\x04");
    refused.receives_all();
    const auto failed = explains(gateway.connection_record("10.0.1.5").value("id", ""));
    EXPECT_EQ(failed["end"].value("result", ""), "refused");
    EXPECT_EQ(failed["end"].value("side", ""), "upstream");
    EXPECT_EQ(failed["end"].value("why", ""), "the upstream refused it");
}

TEST_F(Explains, RefusesWhatItDoesNotKnow)
{
    gateway.runs_with(intercepting());
    EXPECT_EQ(gateway.ctl({"explain", "abcde0.12345"}).exit_code, 1);
    const auto nobody = gateway.ctl({"explain", "10.0.1.9:1"});
    EXPECT_EQ(nobody.exit_code, 1);
    EXPECT_THAT(nobody.err, HasSubstr("no such connection"));
}

TEST_F(Explains, ListsThousandsAndSaysHowMany)
{
    const auto wanted = static_cast<std::size_t>(
        std::getenv("GW_CONNECTIONS") != nullptr ? std::atoi(std::getenv("GW_CONNECTIONS")) : 300);
    gateway.runs_with("listeners: [{name: public, bind: [\"10.0.1.1:8000\"], protocol: http}, "
                      "{name: other, bind: [\"10.0.1.1:8001\"], protocol: http}]\n"
                      "routes: [{to: \"respond:200 hello\"}]\n");
    std::deque<Socket> clients;
    for (std::size_t i = 0; i < wanted; ++i)
        clients.push_back(network.client("10.0.1." + std::to_string(2 + i % 8)).dials("10.0.1.1:8000"));
    auto busy = network.client("10.0.1.2").dials("10.0.1.1:8001");
    for (int i = 0; i < 20; ++i) {
        busy.sends(request("GET", "/", "a"));
        EXPECT_TRUE(receive_message(busy).whole);
    }

    Json json;
    EXPECT_TRUE(eventually([&] { return (json = connections()).value("total", 0U) == wanted + 1; }))
        << json.value("total", 0);
    EXPECT_EQ(json["connections"].size(), std::min<std::size_t>(wanted + 1, 10'000));
    EXPECT_EQ(json.value("truncated", true), wanted + 1 > 10'000);
    const auto few = connections({"--limit", "10"});
    EXPECT_TRUE(few.value("truncated", false));
    EXPECT_EQ(few.value("total", 0U), wanted + 1);
    EXPECT_LE(few["connections"].size(), 10U * 64);
    EXPECT_EQ(connections({"--listener", "other"}).value("matching", 0), 1);
    EXPECT_EQ(connections({"--client", "10.0.1.3"}).value("matching", 0U), (wanted + 6) / 8);
    EXPECT_EQ(connections({"--client", "10.0.1.0/24", "--listener", "public"}).value("matching", 0U), wanted);
    EXPECT_EQ(connections({"--upstream", "10.0.2.10"}).value("matching", 1U), 0U);
    EXPECT_NE(gateway.ctl({"connections", "--client", "nobody"}).exit_code, 0);

    const auto begin = std::chrono::steady_clock::now();
    const auto top = gateway.ctl({"connections", "--by", "requests"});
    std::printf(
        "{\"figure\": \"list of connections\", \"connections\": %zu, \"ms\": %lld}\n", wanted,
        static_cast<long long>(
            std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin).count()));
    const auto first_row = top.out.substr(top.out.find('\n') + 1);
    EXPECT_THAT(first_row.substr(0, first_row.find('\n')), HasSubstr("other"));
}

TEST_F(Explains, WatchesConnectionsUntilInterrupted)
{
    Origin origin(network.servers(), "10.0.2.11:8001", echoes());
    gateway.runs_with(intercepting());
    auto client = network.client("10.0.1.2").dials("10.0.2.11:8001", 40'003);
    client.sends(request("GET", "/", "a"));
    client.receives_until("\r\n\r\n");

    Process watching(
        {Gateway::program_file("gatewayctl"), "--socket", gateway.socket_file(), "connections", "--top", "--watch"},
        network.gateway().place());
    EXPECT_TRUE(watching.wrote([](const std::string& out, const std::string&) {
        const auto once = out.find("10.0.1.2:40003");
        return once != std::string::npos && out.find("10.0.1.2:40003", once + 1) != std::string::npos &&
               out.find("RATE") != std::string::npos;
    }));
    watching.signal(SIGINT);
    const auto output = watching.wait();
    EXPECT_EQ(output.exit_code, 130);
    EXPECT_THAT(output.out, Not(HasSubstr("\x1b"))) << "colours without a terminal";

    // On a terminal: one picture that changes, and the first screen back at the end.
    Process on_terminal(
        {"script", "--quiet", "--return", "--command",
         "exec " + Gateway::program_file("gatewayctl") + " --socket " + gateway.socket_file() + " connections --watch",
         "/dev/null"},
        network.gateway().place());
    EXPECT_TRUE(on_terminal.wrote([](const std::string& out, const std::string&) {
        return out.find("\x1b[?1049h") != std::string::npos && out.find("10.0.1.2:40003") != std::string::npos;
    }));
    for (const int id : gateway.process_ids()) EXPECT_GT(id, 0);
    run({"sh", "-c", "kill -INT $(cat /proc/" + std::to_string(on_terminal.id()) + "/task/*/children)"});
    const auto shown = on_terminal.wait();
    EXPECT_THAT(shown.out, HasSubstr("\x1b[?1049l"));
}

} // namespace
} // namespace gw::lab
