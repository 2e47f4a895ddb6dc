#include "tests/gateway/proxy/proxy_lab.h"

#include <gmock/gmock.h>

namespace gw::proxy::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;

route::RouteSettings route_to(std::string host, std::string path, std::string to)
{
    route::RouteSettings route;
    route.host = std::move(host);
    route.path = std::move(path);
    route.to = std::move(to);
    return route;
}

// --- the plain way

TEST_F(ProxyTest, PassesARequestOnAndItsAnswerBack)
{
    const auto answer = answer_to("GET /a?b=c HTTP/1.1\r\nHost: site.example\r\nAccept: */*\r\n\r\n");

    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, ::testing::EndsWith("\r\n\r\nok"));
    ASSERT_EQ(origin.asked.size(), 1U);
    EXPECT_EQ(origin.asked[0].target, "/a?b=c");
    EXPECT_EQ(origin.asked[0].field("Host"), "site.example");
    EXPECT_EQ(origin.asked[0].field("Accept"), "*/*");
    EXPECT_EQ(seen[0].status, 200);
    EXPECT_FALSE(end);
}

TEST_F(ProxyTest, ServesRequestsThatComeTogetherInTheirOrder)
{
    origin.reply = [](const Asked& asked) {
        return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(asked.target.size()) + "\r\n\r\n" + asked.target;
    };
    const auto answer =
        answer_to("GET /one HTTP/1.1\r\nHost: a\r\n\r\nPOST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                  "GET /three HTTP/1.1\r\nHost: a\r\n\r\n");

    EXPECT_LT(answer.find("/one"), answer.find("/two"));
    EXPECT_LT(answer.find("/two"), answer.find("/three"));
    EXPECT_EQ(origin.connections, 1U);
    EXPECT_EQ(origin.asked[1].body, "abc");
    EXPECT_TRUE(seen[2].reused);
}

TEST_F(ProxyTest, GivesTheSameAnswerHoweverTheBytesArrive)
{
    const std::string request = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n"
                                "GET /y HTTP/1.1\r\nHost: a\r\n\r\n";
    for (const std::size_t cut : {1U, 2U, 3U, 7U, 64U, 4096U}) {
        origin.asked.clear();
        origin.max_read_bytes = cut;
        const auto answer = answer_to(request, cut);
        ASSERT_EQ(origin.asked.size(), 2U) << "cut " << cut;
        EXPECT_EQ(origin.asked[0].body, "hello world") << "cut " << cut;
        EXPECT_THAT(origin.asked[0].trailers, HasSubstr("X-Sum: 1")) << "cut " << cut;
        EXPECT_EQ(occurrences(answer, "HTTP/1.1 200 OK"), 2U) << "cut " << cut;
    }
}

TEST_F(ProxyTest, EndsHopByHopFieldsHere)
{
    answer_to(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
        "Proxy-Authorization: x\r\nX-Kept: 1\r\n\r\n");

    ASSERT_EQ(origin.asked.size(), 1U);
    for (const auto* name : {"X-Mine", "Keep-Alive", "TE", "Proxy-Authorization", "Connection"})
        EXPECT_EQ(origin.asked[0].count(name), 0U) << name;
    EXPECT_EQ(origin.asked[0].field("X-Kept"), "1");
}

TEST_F(ProxyTest, SaysWhoAskedAndBelievesNoStranger)
{
    answer_to("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\nX-Real-IP: "
              "1.1.1.1\r\n\r\n");

    ASSERT_EQ(origin.asked.size(), 1U);
    EXPECT_EQ(origin.asked[0].field("X-Forwarded-For"), "192.0.2.7");
    EXPECT_EQ(origin.asked[0].count("X-Forwarded-For"), 1U);
    EXPECT_EQ(origin.asked[0].field("X-Forwarded-Proto"), "http");
    EXPECT_THAT(origin.asked[0].field("Forwarded"), HasSubstr("192.0.2.7"));
    EXPECT_THAT(origin.raw, Not(HasSubstr("1.1.1.1")));
}

TEST_F(ProxyTest, GivesAnHttp10ClientABodyThatEndsWithTheConnection)
{
    origin.reply = [](const Asked&) {
        return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    };
    const auto answer = answer_to("GET / HTTP/1.0\r\n\r\n");

    EXPECT_THAT(answer, Not(HasSubstr("chunked")));
    EXPECT_THAT(answer, ::testing::EndsWith("\r\n\r\nabc"));
    EXPECT_THAT(answer, HasSubstr("Connection: close"));
}

TEST_F(ProxyTest, FramesABodyThatEndsWithTheUpstreamsConnection)
{
    origin.reply = [](const Asked&) { return "HTTP/1.0 200 OK\r\n\r\nall of it"; };
    origin.close_after_reply = true;
    const auto answer = answer_to("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");

    EXPECT_EQ(occurrences(answer, "9\r\nall of it\r\n0\r\n\r\n"), 2U);
    EXPECT_EQ(origin.connections, 2U);
}

TEST_F(ProxyTest, SendsNoBodyToHeadAndNotModified)
{
    origin.reply = [](const Asked& asked) {
        return asked.method == "HEAD" ? "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
                                      : "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n";
    };
    const auto answer = answer_to("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");

    EXPECT_THAT(answer, HasSubstr("Content-Length: 500\r\n"));
    EXPECT_THAT(answer, HasSubstr("304 Not Modified"));
    EXPECT_EQ(origin.connections, 1U);
}

// --- what a client may not do

TEST_F(ProxyTest, NeverGoesWhereAnAbsoluteTargetPoints)
{
    answer_to("GET http://elsewhere.example/x HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n");

    ASSERT_EQ(dialer.targets.size(), 1U);
    EXPECT_EQ(dialer.targets[0].endpoint, flow.destination);
    EXPECT_EQ(dialer.targets[0].host, "");
    EXPECT_EQ(origin.asked[0].target, "/x");
}

TEST_F(ProxyTest, RefusesConnectAndTrace)
{
    EXPECT_THAT(answer_to("CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: elsewhere.example:443\r\n\r\n"),
                StartsWith("HTTP/1.1 405 "));
    EXPECT_THAT(answer_to("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 405 "));
    EXPECT_EQ(origin.connections, 0U);
}

TEST_F(ProxyTest, RefusesWhatTwoParsersCouldReadInTwoWays)
{
    const std::string marker = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for (const auto* fields :
         {"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 0\r\nContent-Length: 40\r\n",
          "Transfer-Encoding: xchunked\r\n", "Content-Length: +0\r\n", "Transfer-Encoding : chunked\r\n",
          "Content-Length: 0\r\n X: folded\r\n"}) {
        origin.asked.clear();
        const auto answer = answer_to(std::string{"POST / HTTP/1.1\r\nHost: a\r\n"} + fields + "\r\n" + marker);
        EXPECT_THAT(answer, ::testing::AnyOf(StartsWith("HTTP/1.1 400 "), StartsWith("HTTP/1.1 501 "))) << fields;
        EXPECT_EQ(occurrences(answer, "HTTP/1.1 "), 1U) << fields;
        EXPECT_TRUE(origin.asked.empty()) << fields;
    }
}

TEST_F(ProxyTest, DoesNotTakeThePendingBodyOfAnAnsweredRequestForTheNextOne)
{
    // The upstream refuses at once; what the client still sends is body, whatever it looks like.
    origin.reply_to_head = [](const Asked&) { return "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"; };
    const std::string smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    const auto length = std::to_string(100'000 + smuggled.size());
    const auto answer = talk("POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: " + length + "\r\n\r\n" + smuggled,
                             [](const std::string& received) -> std::string {
                                 return received.find("401") == std::string::npos ? "" : "END";
                             });

    EXPECT_EQ(occurrences(answer, "HTTP/1.1 401"), 1U);
    for (const auto& asked : origin.asked) EXPECT_NE(asked.target, "/smuggled");
    EXPECT_EQ(seen.size(), 1U);
}

TEST_F(ProxyTest, ReadsOnAfterItsOwnAnswerOnlyWhenTheBodyIsSmall)
{
    routes({route_to("_", "/nowhere", "respond:404 gone")});
    const auto answer = answer_to(
        "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 404"));
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200 OK"));
}

TEST_F(ProxyTest, AnswersEarlyWhileTheUploadWaitsForTheUpstream)
{
    // The upload is stuck in a write when the answer ends the exchange, and its connection with it.
    origin.capacity_bytes = 512;
    origin.reads_no_body = true;
    origin.reply_to_head = [](const Asked&) { return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"; };
    const auto answer =
        talk("POST /n HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + std::string(50'000, 'x'),
             [](const std::string& received) -> std::string {
                 return received.find("ok") == std::string::npos ? "" : "END";
             });
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK"));
    EXPECT_THAT(answer, HasSubstr("Connection: close"));
    EXPECT_EQ(seen.size(), 1U);
}

TEST_F(ProxyTest, TakesNoPartOfABodyThatCouldNotBeSentForTheNextRequest)
{
    // The last piece of the body is read and waits to be written when the time for the answer is over.
    auto slow = route_to("_", "/", "original");
    slow.timeout = 200ms;
    routes({slow});
    settings.body_idle_limit = 200ms;
    origin.capacity_bytes = 64;
    origin.reads_no_body = true;
    origin.reply_to_head = [](const Asked&) { return std::string{}; };
    const std::string smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\nX: " + std::string(300, 'x') + "\r\n\r\n";
    const std::string head =
        "POST /n HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(smuggled.size()) + "\r\n\r\n";
    const auto end_when_answered = [](const std::string& received) -> std::string {
        return received.empty() ? "" : "END";
    };
    const auto answer = talk(head + smuggled, end_when_answered, head.size());
    EXPECT_EQ(occurrences(answer, "HTTP/1.1 "), 1U) << answer;
    EXPECT_THAT(answer, HasSubstr("Connection: close"));
    EXPECT_EQ(seen.size(), 1U);
    for (const auto& asked : origin.asked) EXPECT_NE(asked.target, "/smuggled");
}

TEST_F(ProxyTest, AnswersForAnUpstreamThatGoesWhileTheBodyIsOnItsWay)
{
    origin.reply_to_head = [](const Asked&) { return std::string{}; };
    origin.reads_no_body = false;
    origin.close_on_head = true;
    const auto answer = talk("POST /n HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n0123456789",
                             [](const std::string& received) -> std::string { return received.empty() ? "" : "END"; });
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 502 "));
    EXPECT_EQ(seen.at(0).error->side, Side::upstream);
}

// --- 100-continue

TEST_F(ProxyTest, PassesExpectOnAndTheBodyAfterTheUpstreamsWord)
{
    origin.reply_to_head = [](const Asked& asked) {
        EXPECT_EQ(asked.field("Expect"), "100-continue");
        return "HTTP/1.1 100 Continue\r\n\r\n";
    };
    bool body_sent = false;
    const auto answer = talk("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
                             [&](const std::string& received) -> std::string {
                                 if (received.find("200 OK") != std::string::npos) return "END";
                                 if (body_sent || received.find("100 Continue") == std::string::npos) return {};
                                 body_sent = true;
                                 origin.reply_to_head = nullptr; // now it answers after the body
                                 return "body";
                             });
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 100 Continue\r\n\r\n"));
    ASSERT_EQ(origin.asked.size(), 1U);
    EXPECT_EQ(origin.asked[0].body, "body");
}

TEST_F(ProxyTest, SendsNoBodyWhenTheUpstreamRefusesInsteadOfContinuing)
{
    origin.reply_to_head = [](const Asked&) { return "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"; };
    const auto answer = answer_to("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 417"));
    EXPECT_THAT(answer, HasSubstr("Connection: close"));
}

// --- upgrades

TEST_F(ProxyTest, HandsTheConnectionOverAfterAnAcceptedUpgrade)
{
    origin.reply = [](const Asked& asked) {
        EXPECT_EQ(asked.field("Upgrade"), "websocket");
        return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    };
    const auto answer =
        answer_to("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05hello");

    EXPECT_THAT(answer, StartsWith("HTTP/1.1 101 "));
    EXPECT_THAT(answer, HasSubstr("Upgrade: websocket\r\n"));
    EXPECT_TRUE(upgraded);
    EXPECT_THAT(origin.raw, Not(HasSubstr("hello"))) << "nothing goes on before both sides agreed";
}

TEST_F(ProxyTest, TreatsWhatFollowsARefusedUpgradeAsTheNextRequest)
{
    origin.reply = [](const Asked&) { return "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n"; };
    const auto answer = answer_to("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
                                  "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(occurrences(answer, "HTTP/1.1 426"), 2U);
    ASSERT_EQ(origin.asked.size(), 2U);
    EXPECT_EQ(origin.asked[1].target, "/next");
}

TEST_F(ProxyTest, RefusesAnUpgradeNobodyAskedFor)
{
    origin.reply = [](const Asked&) {
        return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
    };
    EXPECT_THAT(answer_to("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 502 "));
    EXPECT_FALSE(upgraded);
}

// --- upstreams that fail

TEST_F(ProxyTest, AsksAgainWhenAKeptConnectionHasGone)
{
    origin.close_after_reply = true;
    const auto answer = answer_to("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(occurrences(answer, "200 OK"), 2U);
    EXPECT_EQ(origin.connections, 2U);
}

// With NTLM and Negotiate who one is holds for the connection.
TEST_F(ProxyTest, SharesNoConnectionThatTheUpstreamTakesForOneUser)
{
    for (const auto* scheme : {"NTLM", "negotiate TlRM"}) {
        origin.connections = 0;
        origin.reply = [&](const Asked& asked) {
            return asked.target == "/user" ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
                                           : std::string{"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: "} + scheme +
                                                 "\r\nContent-Length: 0\r\n\r\n";
        };
        const auto answer = answer_to("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /user HTTP/1.1\r\nHost: a\r\n\r\n");
        EXPECT_EQ(occurrences(answer, "200 OK"), 1U);
        EXPECT_EQ(origin.connections, 1U) << "it is the client's own";
        EXPECT_TRUE(dialer.kept.empty());
    }
    origin.reply = [](const Asked&) {
        return "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n";
    };
    answer_to("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(dialer.kept.size(), 1U) << "Basic comes with each request";
}

TEST_F(ProxyTest, AnswersForAnUpstreamThatCannotBeReached)
{
    dialer.failure = Error{Fault::refused, Side::upstream, "connect", {}};
    EXPECT_THAT(answer_to("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 502 "));
    dialer.failure = Error{Fault::timed_out, Side::upstream, "connect", {}};
    EXPECT_THAT(answer_to("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 504 "));
    dialer.failure = Error{Fault::denied, Side::client, "own address", {}};
    EXPECT_THAT(answer_to("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 403 "));
}

TEST_F(ProxyTest, AnswersForAnUpstreamThatSpeaksNonsense)
{
    for (const auto* nonsense :
         {"HELLO\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}) {
        origin.reply = [&](const Asked&) { return nonsense; };
        const auto answer = answer_to("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        EXPECT_THAT(answer, StartsWith("HTTP/1.1 502 ")) << nonsense;
        EXPECT_EQ(occurrences(answer, "HTTP/1.1 "), 1U);
    }
}

TEST_F(ProxyTest, LetsNoTruncatedResponseLookWhole)
{
    origin.reply = [](const Asked&) { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"; };
    origin.close_after_reply = true;
    const auto answer = answer_to("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(answer, Not(HasSubstr("0\r\n\r\n")));
    EXPECT_TRUE(end);
}

TEST_F(ProxyTest, GivesUpWhenTheAnswerTakesTooLong)
{
    auto slow = route_to("_", "/", "original");
    slow.timeout = 100ms;
    routes({slow});
    origin.reply_to_head = [](const Asked&) { return std::string{}; };
    EXPECT_THAT(talk("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                     [](const std::string&) { return std::string{}; }),
                StartsWith("HTTP/1.1 504 "));
}

// --- routes

TEST_F(ProxyTest, AsksTheUpstreamOfARouteForWhatFollowsTheMatch)
{
    routes({route_to("shop.example", "/old", "http://10.0.0.1:8080/new")});
    answer_to("GET /old/a%20b?q=1 HTTP/1.1\r\nHost: Shop.Example\r\n\r\n");

    ASSERT_EQ(origin.asked.size(), 1U);
    EXPECT_EQ(origin.asked[0].target, "/new/a%20b?q=1");
    EXPECT_EQ(origin.asked[0].field("Host"), "10.0.0.1:8080");
    EXPECT_EQ(origin.asked[0].field("X-Forwarded-Host"), "Shop.Example");
    EXPECT_EQ(dialer.targets[0].host, "10.0.0.1");
    EXPECT_EQ(dialer.targets[0].endpoint.port, 8080);
}

TEST_F(ProxyTest, RefusesAPathThatAServerCouldReadAsAnotherRoutes)
{
    routes({route_to("_", "/admin", "respond:403 no"), route_to("_", "/", "original")});
    for (const auto* path : {"/admin%2fx", "/admin;a=b/x", "/admin;a%2Fb", "/x%2f..", "/admin\\x"}) {
        const auto answer = answer_to(std::string{"GET "} + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
        EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << path;
    }
    for (const auto* path : {"/@scope%2fname", "/list;sort=up/x", "/administrator%2fx"})
        EXPECT_THAT(answer_to(std::string{"GET "} + path + " HTTP/1.1\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 200 "))
            << path;
    EXPECT_EQ(origin.asked.size(), 3U);
}

TEST_F(ProxyTest, RefusesABodyOverTheRoutesLimit)
{
    auto small = route_to("_", "/", "original");
    small.max_body_bytes = 4;
    routes({small});
    EXPECT_THAT(answer_to("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"), StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(answer_to("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
                StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(answer_to("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nhell"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ProxyTest, ChangesHeadersAsTheRouteSays)
{
    routes({route_to("_", "/", "original")});
    filters::HeaderEdits request{{"X-Debug"}, {{"X-Client", "{client.address}"}}, {}};
    filters::HeaderEdits response{{"Server"}, {{"X-Served", "yes"}}, {}};
    plans[0].request_headers = *filters::HeaderEditor::make(request);
    plans[0].response_headers = *filters::HeaderEditor::make(response);
    origin.reply = [](const Asked&) { return "HTTP/1.1 200 OK\r\nServer: secret\r\nContent-Length: 0\r\n\r\n"; };
    const auto answer = answer_to("GET / HTTP/1.1\r\nHost: a\r\nX-Debug: 1\r\nX-Client: forged\r\n\r\n");

    EXPECT_EQ(origin.asked[0].count("X-Debug"), 0U);
    EXPECT_EQ(origin.asked[0].field("X-Client"), "192.0.2.7");
    EXPECT_EQ(origin.asked[0].count("X-Client"), 1U);
    EXPECT_THAT(answer, Not(HasSubstr("secret")));
    EXPECT_THAT(answer, HasSubstr("X-Served: yes\r\n"));
}

TEST_F(ProxyTest, RefusesWhereNoRouteLeads)
{
    otherwise = route::Action::deny;
    EXPECT_THAT(answer_to("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 404 "));
    EXPECT_EQ(origin.connections, 0U);
}
} // namespace
} // namespace gw::proxy::testing
