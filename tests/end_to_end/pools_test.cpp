// Pools: whose turn it is, who is left out, and the PROXY headers that go in front of connections to their servers.

#include "tests/end_to_end/header_lines.h"
#include "tests/end_to_end/neighbours.h"
#include "tests/end_to_end/scene.h"

#include <set>

namespace gw::lab {
namespace {

class Pools : public Appliance {
protected:
    /// The bodies of that many requests, each over a connection of its own.
    std::map<std::string, int> answers_to(int count, std::string_view to = "10.0.2.10:80")
    {
        std::map<std::string, int> seen;
        for (int i = 0; i < count; ++i) {
            auto socket = network.client("10.0.1.2").dials(to);
            socket.sends(request("GET", "/", "a.example", "Connection: close\r\n"));
            ++seen[receive_message(socket).body];
        }
        return seen;
    }
};

TEST_F(Pools, GiveEachServerItsShare)
{
    Origin one(network.servers(), "10.0.2.11:8000", answers(answer(200, "one")));
    Origin two(network.servers(), "10.0.2.12:8000", answers(answer(200, "two")));
    gateway.runs_with(intercepting("routes: [{to: pool:web}]\n"
                                   "pools: {web: {servers: [\"10.0.2.11:8000\", {address: \"10.0.2.12:8000\", weight: "
                                   "2}], balance: round_robin}}\n"
                                   "workers: 1\n"));
    const auto seen = answers_to(9);
    EXPECT_EQ(seen.at("one"), 3);
    EXPECT_EQ(seen.at("two"), 6);
    EXPECT_TRUE(eventually([&] { return gateway.records().size() == 18; })); // a request and a connection each
}

TEST_F(Pools, LeaveOutAServerThatRefuses)
{
    Origin two(network.servers(), "10.0.2.12:8000", answers(answer(200, "two")));
    gateway.runs_with(
        intercepting("routes: [{to: pool:web}]\n"
                     "pools: {web: {servers: [\"10.0.2.11:8000\", \"10.0.2.12:8000\", \"10.0.2.13:8000\"]}}\n"));
    const auto seen = answers_to(6);
    EXPECT_EQ(seen.at("two"), 6);
}

TEST_F(Pools, AnswerForThemselvesWhenNoServerIsThere)
{
    gateway.runs_with(intercepting("routes: [{to: pool:web}]\npools: {web: {servers: [\"10.0.2.11:8000\"]}}\n"));
    EXPECT_EQ(status_of(network.client("10.0.1.2"), "10.0.2.10:80", request("GET", "/gone", "a.example")), 502);
    EXPECT_THAT(gateway.request_record("/gone").value("what", ""), HasSubstr("connect 10.0.2.11:8000"));
}

TEST_F(Pools, TellNginxWhoTheClientIs)
{
    NginxBehindHeaders nginx(network);
    for (const auto* version : {"v1", "v2"}) {
        SCOPED_TRACE(version);
        const auto yaml =
            intercepting("routes: [{to: pool:web}]\npools: {web: {servers: [\"10.0.2.12:8080\"], send_proxy: " +
                         std::string{version} + "}}\nworkers: 1\n");
        if (gateway.is_running())
            gateway.reloads(yaml);
        else
            gateway.runs_with(yaml);
        std::set<std::string> connections;
        for (const auto* client : {"10.0.1.2", "10.0.1.3", "fd00:1::2"}) {
            const bool v6 = std::string_view{client}.find(':') != std::string_view::npos;
            auto socket = network.client(client).dials(v6 ? "[fd00:2::10]:80" : "10.0.2.10:80");
            auto own = socket.name().text();
            std::string first;
            for (int i = 0; i < 3; ++i) {
                socket.sends(request("GET", "/", "a.example"));
                const auto body = receive_message(socket).body;
                auto expected = own + (v6 ? " > [fd00:2::10]:80 " : " > 10.0.2.10:80 ");
                std::erase_if(expected, [](char c) { return c == '[' || c == ']'; }); // as nginx writes it
                EXPECT_THAT(body, StartsWith(expected));
                if (first.empty()) first = body;
                EXPECT_EQ(body, first) << "another connection for the same client";
            }
            EXPECT_TRUE(connections.insert(first.substr(first.rfind(' '))).second) << "shared between clients";
        }
    }
}

TEST_F(Pools, TellHaproxyWhoTheClientIs)
{
    if (const auto why = why_no_haproxy(); !why.empty()) {
        if (std::getenv("CI")) FAIL() << why;
        GTEST_SKIP() << why;
    }
    Haproxy haproxy(network.servers(), R"(
frontend behind
    bind 10.0.2.13:8000 accept-proxy
    mode http
    http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] > %[dst]:%[dst_port]"
)");
    for (const auto* version : {"v1", "v2"}) {
        const auto yaml =
            intercepting("pools: {web: {servers: [\"10.0.2.13:8000\"], send_proxy: " + std::string{version} + "}}\n",
                         "default: pool:web");
        if (gateway.is_running())
            gateway.reloads(yaml);
        else
            gateway.runs_with(yaml);
        auto socket = network.client("10.0.1.2").dials("10.0.2.10:80");
        socket.sends(request("GET", "/", "a.example"));
        EXPECT_EQ(receive_message(socket).body, socket.name().text() + " > 10.0.2.10:80") << version;
    }
}

TEST_F(Pools, SendTheHeaderFromTheClientsOwnAddress)
{
    Origin origin(network.servers(), "10.0.2.11:8000", [](Origin::Connection& connection) {
        const auto said = read_header(connection, Header::v2);
        while (receive_message(connection).whole && connection.sends(answer(200, said))) {
        }
    });
    gateway.runs_with(intercepting("routes: [{to: pool:web}]\n"
                                   "pools: {web: {servers: [\"10.0.2.11:8000\"], send_proxy: v2}}\n",
                                   "client_address: keep"));
    auto socket = network.client("10.0.1.4").dials("10.0.2.10:80");
    socket.sends(request("GET", "/kept", "a.example"));
    EXPECT_EQ(receive_message(socket).body, socket.name().text() + " to 10.0.2.10:80");
    EXPECT_EQ(origin.client_of(0).address.text(), "10.0.1.4");
    EXPECT_EQ(gateway.request_record("/kept").value("source_kept", false), true);
}

TEST_F(Pools, SendTheHeaderTogetherWithTheFirstBytes)
{
    Origin origin(network.servers(), "10.0.2.11:8000", [](Origin::Connection& connection) {
        const auto first = connection.receives_within(Milliseconds{2'000}); // one read: what came in one segment
        connection.sends(answer(200, first));
        connection.receives_all();
    });
    gateway.runs_with(intercepting("routes: [{to: pool:web}]\n"
                                   "pools: {web: {servers: [\"10.0.2.11:8000\"], send_proxy: v1}}\n"));
    auto socket = network.client("10.0.1.2").dials("10.0.2.10:80");
    socket.sends(request("GET", "/", "a.example"));
    EXPECT_THAT(receive_message(socket).body, ::testing::MatchesRegex("PROXY TCP4 [^\r]*\r\nGET / HTTP/1.1\r\n.*"));
}

TEST_F(Pools, DoNotKeepAServerThatSpeaksFirstWaitingForItsHeader)
{
    Origin origin(network.servers(), "10.0.2.11:25", [](Origin::Connection& connection) {
        const auto said = read_header(connection, Header::v1);
        connection.sends("220 hello " + said + "\r\n");
        const auto line = connection.receives_until("\r\n");
        connection.sends("250 " + line);
        connection.receives_all();
    });
    gateway.runs_with(
        intercepting("pools: {mail: {servers: [\"10.0.2.11:25\"], send_proxy: v1}}\n", "default: pool:mail"));
    auto socket = network.client("10.0.1.2").dials("10.0.2.10:25");
    EXPECT_EQ(socket.receives_until("\r\n"), "220 hello " + socket.name().text() + " to 10.0.2.10:25\r\n");
    socket.sends("EHLO a\r\n");
    EXPECT_EQ(socket.receives_until("\r\n"), "250 EHLO a\r\n");
}

TEST_F(Pools, AreExplained)
{
    gateway.runs_with(
        "listeners: [{name: c2s, bind: [\"0.0.0.0:15222\"], protocol: tcp, default: pool:xmpp, "
        "proxy_protocol: {trusted: [10.0.1.5]}}]\n"
        "routes: []\n"
        "pools: {xmpp: {servers: [\"10.0.2.11:5222\", {address: \"10.0.2.12:5222\", weight: 3}], send_proxy: "
        "v2}}\n");
    const auto text = gateway.ctl({"explain", "tcp://10.0.1.1:15222", "--config", gateway.configuration_file()}).out;
    EXPECT_THAT(text, HasSubstr("a PROXY header must come first, from 10.0.1.5/32"));
    EXPECT_THAT(text, HasSubstr("pass the bytes on to a server of pool xmpp"));
    EXPECT_THAT(text, HasSubstr("10.0.2.11:5222, 10.0.2.12:5222 (weight 3)"));
    EXPECT_THAT(text, HasSubstr("PROXY header, version 2"));
    const auto json = Json::parse(
        gateway.ctl({"explain", "tcp://10.0.1.1:15222", "--config", gateway.configuration_file(), "--json"}).out);
    EXPECT_EQ(json["action"]["name"], "forward_pool");
    EXPECT_EQ(json["action"]["pool"]["send_proxy"], "v2");
    EXPECT_EQ(json["action"]["pool"]["servers"].size(), 2u);
}

} // namespace
} // namespace gw::lab
