// Where requests go: the MongooseIM examples, and what a route does to a message.

#include "tests/end_to_end/scene.h"

namespace gw::lab {
namespace {

class Routes : public Appliance {
protected:
    Message asks(std::string_view target, std::string_view host, std::string_view fields = "") const
    {
        auto socket = network.client("10.0.1.2").dials("10.0.2.11:80");
        socket.sends(request("GET", target, host, fields));
        return receive_message(socket);
    }
};

TEST_F(Routes, BehaveAsTheExamplesOfMongooseImSay)
{
    WebServer solutions(network, "www.erlang-solutions.com", 10);
    Origin beside(network.gateway(), "127.0.0.1:8080", echoes()), original(network.servers(), "10.0.2.11:80", echoes());
    gateway.knows_hosts("127.0.0.1 localhost\n10.0.2.10 www.erlang-solutions.com\n");
    gateway.trusts(solutions.certificate());
    gateway.runs_with(intercepting(R"(
routes:
  - {host: www.erlang-solutions.com, path: /admin, method: "_", to: "https://www.erlang-solutions.com/"}
  - {host: ":var.com",    path: "/:var", to: "http://localhost:8080/"}
  - {host: ":domain.com", path: "/",     to: "http://localhost:8080/:domain"}
)",
                                   "client_address: gateway"));

    EXPECT_THAT(asks("/admin/resources/case-studies", "www.erlang-solutions.com").head, StartsWith("HTTP/1.1 200 "))
        << gateway.request_record("/admin/resources/case-studies");
    const auto seen = solutions.log(1)[0];
    EXPECT_EQ(seen.value("target", ""), "/resources/case-studies");
    EXPECT_EQ(seen.value("scheme", ""), "https");
    EXPECT_EQ(seen.value("host", ""), "www.erlang-solutions.com");
    EXPECT_THAT(asks("/domain/index.html", "domain.com").body,
                StartsWith("GET /index.html HTTP/1.1\r\nHost: localhost:8080\r\n"));
    EXPECT_THAT(asks("/def", "abc.com").body, StartsWith("GET /abc/def HTTP/1.1\r\n"));
    EXPECT_THAT(asks("/def", "abc.example").body, StartsWith("GET /def HTTP/1.1\r\nHost: abc.example\r\n"));
    EXPECT_EQ(original.connections(), 1u);
}

TEST_F(Routes, RefuseAServerWhoseCertificateIsNotTrusted)
{
    WebServer impostor(network, "www.example.org", 10);
    gateway.knows_hosts("10.0.2.10 www.example.org\n");
    gateway.runs_with(intercepting("routes: [{to: \"https://www.example.org/\"}]", "client_address: gateway"));
    EXPECT_THAT(asks("/", "a.example").head, StartsWith("HTTP/1.1 502 "));
    EXPECT_TRUE(impostor.log_now().empty());
}

TEST_F(Routes, RedirectAndAnswerByThemselves)
{
    gateway.runs_with(intercepting(R"(
routes:
  - {path: /old, to: "redirect:https://new.example/"}
  - {path: /closed, to: "respond:410 gone for good"}
)"));
    const auto moved = asks("/old/page", "a.example");
    EXPECT_THAT(moved.head, StartsWith("HTTP/1.1 30"));
    EXPECT_THAT(moved.header("location"), StartsWith("https://new.example/"));
    const auto gone = asks("/closed", "a.example");
    EXPECT_THAT(gone.head, StartsWith("HTTP/1.1 410 "));
    EXPECT_THAT(gone.body, HasSubstr("gone for good"));
}

TEST_F(Routes, ChooseByMethodAndTakeTheFirstThatFits)
{
    gateway.runs_with(intercepting(R"(
routes:
  - {host: a.example, path: /x, method: POST, to: "respond:201 posted"}
  - {host: a.example, path: /x, to: "respond:200 first"}
  - {host: a.example, path: /x, to: "respond:200 second"}
)"));
    auto socket = network.client("10.0.1.2").dials("10.0.2.11:80");
    socket.sends(request("POST", "/x", "A.Example:80", "Content-Length: 0\r\n") + request("GET", "/x/y", "a.example."));
    EXPECT_THAT(receive_message(socket).body, HasSubstr("posted"));
    EXPECT_THAT(receive_message(socket).body, HasSubstr("first"));
}

TEST_F(Routes, EditFieldsInBothDirections)
{
    Origin origin(network.servers(), "10.0.2.11:80", [](Origin::Connection& connection) {
        const auto asked = receive_message(connection);
        connection.sends(answer(200, asked.head, "Server: secret/1.0\r\nX-Powered-By: things\r\n"));
        connection.receives_all();
    });
    gateway.runs_with(intercepting(R"(
routes:
  - to: original
    request_headers: {set: {X-Real-IP: "{client.address}", X-Where: "{host}{path}"}, add: {X-Via: one}, remove: [X-Debug]}
    response_headers: {set: {X-Frame-Options: DENY}, remove: [Server, X-Powered-By]}
)"));
    const auto answer = asks("/p", "a.example", "X-Real-IP: 6.6.6.6\r\nX-Debug: 1\r\nX-Via: zero\r\n");
    EXPECT_THAT(answer.body, HasSubstr("X-Real-IP: 10.0.1.2\r\n"));
    EXPECT_THAT(answer.body, HasSubstr("X-Where: a.example/p\r\n"));
    EXPECT_THAT(answer.body, HasSubstr("X-Via: zero\r\n"));
    EXPECT_THAT(answer.body, HasSubstr("X-Via: one\r\n"));
    EXPECT_THAT(answer.body, Not(HasSubstr("6.6.6.6")));
    EXPECT_THAT(answer.body, Not(HasSubstr("X-Debug")));
    EXPECT_EQ(answer.header("Server"), "");
    EXPECT_EQ(answer.header("X-Powered-By"), "");
    EXPECT_EQ(answer.header("X-Frame-Options"), "DENY");
}

TEST_F(Routes, AreCountedWithTheirLastHit)
{
    gateway.runs_with(intercepting("routes: [{path: /a, to: \"respond:200 a\"}, {path: /b, to: \"respond:200 b\"}]"));
    asks("/b", "a.example");
    asks("/b", "a.example");
    Json routes;
    EXPECT_TRUE(eventually([&] {
        routes = Json::parse(gateway.ctl({"routes", "--json"}).out, nullptr, false).value("routes", Json::array());
        return routes.size() == 2 && routes[1].value("hits", 0) == 2;
    })) << routes;
    EXPECT_EQ(routes[0].value("hits", -1), 0);
    EXPECT_GT(routes[1].value("last_hit", 0), 1'600'000'000);
}

} // namespace
} // namespace gw::lab
