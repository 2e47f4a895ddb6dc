#include "gateway/ctl/connection_view.h"
#include "gateway/ctl/list_views.h"
#include "gateway/ctl/status_view.h"
#include "tests/gateway/ctl/sample.h"

#include <gmock/gmock.h>

namespace gw::ctl {
namespace {

using testing::expect_golden;
using ::testing::HasSubstr;
using ::testing::Not;

Json json(std::string_view text)
{
    auto parsed = parse_json(text);
    if (!parsed) ADD_FAILURE() << "not JSON: " << text;
    return parsed.value_or(Json());
}

Json sample_status() { return json(testing::content_of(testing::golden_file("status.json"))); }

TEST(StatusView, FitsOneScreen)
{
    expect_golden(status_view(sample_status(), {}), "status.txt");
    expect_golden(status_view(sample_status(), {true, 80}), "status-colour-80.txt");
}

TEST(StatusView, ShowsWhatItCanOfAnAnswerItDoesNotKnow)
{
    EXPECT_THAT(status_view(Json::object(), {}), HasSubstr("gateway"));
    // Each member once with a type nobody expects.
    const auto whole = sample_status();
    for (const auto& [key, value] : whole.items())
        for (const auto& other : {json("null"), json("3"), json("\"x\""), json("[1,[2],{}]"), json("{\"a\":[1]}")}) {
            auto changed = whole;
            changed[key] = other;
            EXPECT_FALSE(status_view(changed, {}).empty()) << key;
        }
}

TEST(StatusView, LetsNoByteThroughThatATerminalObeys)
{
    for (const char c : status_view(sample_status(), {})) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f));
}

TEST(ConnectionsView, PutsTheBusiestFirstWhenAsked)
{
    const auto answer = json(R"({"total":2,"matching":2,"listed":2,"truncated":false,"connections":[
        {"id":"a1","client":"198.51.100.7:40000","destination":"192.0.2.10:443","listener":"web","protocol":"tls",
         "server_name":"shop.example\u001b]0;x\u0007","route":-1,"upstream":"192.0.2.10:443","requests":0,
         "from_client_bytes":100,"to_client_bytes":2048,"age_seconds":3661,"state":"relaying"},
        {"id":"a2","client":"[2001:db8::7]:40001","destination":"[2001:db8:1::1]:80","listener":"web","protocol":"http1",
         "server_name":"","route":2,"upstream":"","requests":1500,"from_client_bytes":500000,"to_client_bytes":7000000,
         "age_seconds":5,"state":"idle"}]})");
    ConnectionOrder order;
    expect_golden(connections_view(answer, order, {}), "connections.txt");
    order.by = order_named("bytes");
    expect_golden(connections_view(answer, order, {false, 80}), "connections-top-80.txt");
}

TEST(ConnectionsView, MeasuresRatesAndSaysWhatItDoesNotShow)
{
    const auto answer = json(R"({"total":12345,"matching":400,"listed":3,"truncated":true,"connections":[
        {"id":"a1","client":"198.51.100.7:1","from_client_bytes":9000000,"to_client_bytes":0,"age_seconds":9,"requests":1},
        {"id":"a2","client":"198.51.100.7:2","from_client_bytes":10,"to_client_bytes":0,"age_seconds":99,"requests":7},
        {"id":"a3","client":"198.51.100.7:3","from_client_bytes":10,"to_client_bytes":0,"age_seconds":1,"requests":3}]})");
    const std::map<std::string, double> rates{{"a1", 10}, {"a2", 2048}, {"a3", 100}};
    const auto first_by = [&](const char* word) {
        ConnectionOrder order;
        order.by = order_named(word);
        order.rates = &rates;
        order.most = 1;
        const auto text = connections_view(answer, order, {});
        const auto row = text.find('\n') + 1;
        return text.substr(row, 2);
    };
    EXPECT_EQ(first_by("rate"), "a2");
    EXPECT_EQ(first_by("bytes"), "a1");
    EXPECT_EQ(first_by("age"), "a2");
    EXPECT_EQ(first_by("requests"), "a2");
    ConnectionOrder order;
    order.rates = &rates;
    const auto text = connections_view(answer, order, {});
    EXPECT_NE(text.find("2.0 KiB/s"), std::string::npos) << text;
    EXPECT_NE(text.find("3 shown of 400 that fit, of 12,345; the daemon listed only 3 (--limit)"), std::string::npos)
        << text;
}

TEST(ConnectionView, TellsEachStepOfAConnectionsWay)
{
    auto connection = json(R"({"id":"abcde0.7","live":false,"state":"ended","client":"198.51.100.7:40000",
        "configuration":{"generation":1,"in_force":2,"same":false},
        "capture":{"listener":"web","destination":"192.0.2.10:80","recovered":"socket_name",
         "recovered_how":"TPROXY","where":"gateway.yaml:2:5","kind":"intercept","mode":"tproxy",
         "kernel":{"table":"inet gateway","mark":"0x01000000/0x03000000","policy_rule":"ip rule: priority 773",
          "route":"local default dev lo table 7373"}},
        "peek":{"protocol":"http1","why":"the first bytes are an HTTP/1 request"},
        "route":{"index":1,"action":"forward_url","where":"gateway.yaml:9:5","to":"http://10.0.0.1/",
         "asked":"GET shop.example/a\u001b[2J","tried":[
          {"index":0,"where":"gateway.yaml:8:5","host":"shop.example","path":"/b","method":"_","to":"original",
           "result":"near miss","why":"host matches, but path is not under /b"},
          {"index":1,"where":"gateway.yaml:9:5","host":"shop.example","path":"/a","method":"_","to":"http://10.0.0.1/",
           "result":"taken","why":"host and path match"}]},
        "upstream":{"address":"10.0.0.1:80","why":"the route names it","source_kept":true,"source_why":"kept",
         "upstream_connections":1,"upstream_reuses":4},
        "traffic":{"requests":5,"from_client_bytes":10,"to_client_bytes":2048},
        "timings":{"peek_ms":0.5,"dial_ms":1.5,"first_byte_ms":3.25,"duration_ms":100},
        "requests":[],"end":{"result":"closed","side":"client","what":"read","why":"the client broke it off",
         "at":"2026-11-21T08:00:00.123Z"}})");
    connection["capture"]["rules"] = rules_of_listener(
        json(
            R"({"nft":"add rule inet gateway a ip daddr 192.0.2.0/24 tproxy comment \"capture web\"\nadd rule inet gateway a ip6 daddr ::/0 tproxy comment \"capture web\"\nadd rule inet gateway a ip daddr 192.0.2.0/24 comment \"capture web2\"\n"})"),
        "web", "192.0.2.10:80");
    const auto of_iptables = rules_of_listener(
        json(
            R"({"nft":"","iptables":"-A gateway-capture-1 -m comment --comment \"gateway: capture 1 IPv4 web 0b1c2d3e\" -j TPROXY\n-A gateway-capture-1 -m comment --comment \"gateway: capture 1 IPv6 web 0b1c2d3e\" -j TPROXY\n-A gateway-capture-2 -m comment --comment \"gateway: capture 2 IPv4 web2 0b1c2d3e\" -j TPROXY\n"})"),
        "web", "[2001:db8::1]:80");
    EXPECT_THAT(of_iptables, ::testing::ElementsAre(::testing::HasSubstr("1 IPv6 web")));
    const auto text = connection_view(connection, {});
    for (const auto* part :
         {"abcde0.7", "it keeps configuration 1; in force is 2",
          "rule add rule inet gateway a ip daddr 192.0.2.0/24 tproxy", "mark 0x01000000/0x03000000",
          "192.0.2.10:80 (TPROXY)", "near miss: host matches, but", "TAKEN: host and path",
          "10.0.0.1:80 (the route names it)", "one request over a new connection, 4 over one used before",
          "2.0 KiB to it", "dialled in 1.5 ms", "client closed, read (the client broke it off)"})
        EXPECT_NE(text.find(part), std::string::npos) << part << "\nis not in\n" << text;
    EXPECT_EQ(text.find("web2"), std::string::npos) << "the rule of another listener";
    EXPECT_EQ(text.find("ip6 daddr"), std::string::npos) << "the rule of the other family";
    for (const char c : text) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f));
}

TEST(RoutesView, SaysWhenEachWasHitLast)
{
    const auto routes = json(R"([
        {"index":0,"where":"gateway.yaml:10:5","host":"_","path":"/","method":"_","listeners":[],"to":"original","waf":"off",
         "hits":1234,"last_hit":1000},
        {"index":1,"where":"gateway.yaml:11:5","host":"shop.example","path":"/a","method":"GET","listeners":["web","public"],
         "to":"http://10.0.0.1:8080/x","waf":"block","hits":0,"last_hit":0}])");
    expect_golden(routes_view(routes, 1125, {}), "routes.txt");
}

TEST(RecordLine, TellsARequestsStory)
{
    const auto record = json(R"({"time":"2026-11-21T08:00:00.123Z","kind":"request","client":"198.51.100.7:40000",
        "method":"GET","host":"shop.example","target":"/?q=<script>","status":403,"route":2,"upstream":"10.0.0.1:80",
        "response_bytes":512,"duration_ms":1.25,
        "waf":{"mode":"block","verdict":"block","score":15,"rules":[941100,941110],"incident":"ab12"},"end":"ok"})");
    EXPECT_EQ(record_line(record, {}),
              "2026-11-21T08:00:00.123Z 198.51.100.7:40000 GET shop.example/?q=<script> 403 512 B 1.2 ms  route 2 -> "
              "10.0.0.1:80  waf block score 15 rules 941100,941110 incident ab12\n");
}

TEST(RecordLine, TellsAConnectionsStory)
{
    const auto record = json(R"({"time":"t","kind":"connection","client":"198.51.100.7:40000",
        "destination":"192.0.2.10:443","protocol":"tls","server_name":"shop.example","action":"forward_original","route":-1,
        "upstream":"192.0.2.10:443","from_client_bytes":10,"to_client_bytes":2048,"duration_ms":9000,
        "end":"timed_out","side":"upstream","what":"connect"})");
    EXPECT_EQ(record_line(record, {}),
              "t 198.51.100.7:40000 tls to 192.0.2.10:443 (shop.example) forward_original 10 B in 2.0 KiB out 9000 ms "
              "-> 192.0.2.10:443  end upstream timed_out: connect\n");
}

TEST(RecordLine, SaysHowManyRecordsWereLeftOutAndSinceWhen)
{
    const auto record = json(R"({"time":"t","kind":"suppressed","worker":0,"since":"2026-11-21T08:00:00.123Z",
        "suppressed":1812,"connections":1406,"requests":406,"flows":0})");
    EXPECT_EQ(record_line(record, {}), "t suppressed 1,812 records of what came to nothing, since "
                                       "2026-11-21T08:00:00.123Z: 1,406 connections, 406 requests\n");
}

TEST(RecordLine, IsOneLineOfPrintableTextWhateverAClientSent)
{
    for (int byte = 0; byte < 256; ++byte) {
        const std::string evil = "a" + std::string(1, static_cast<char>(byte)) + "b\n\x1b[2J";
        Json record{{"kind", "request"}};
        for (const auto* key :
             {"time", "client", "method", "host", "target", "upstream", "end", "side", "what", "route", "since"})
            record[key] = evil;
        record["waf"] = {{"verdict", evil}, {"rules", Json::array({evil})}, {"incident", evil}};
        for (const auto* kind : {"request", "connection", "suppressed", evil.c_str()}) {
            record["kind"] = kind;
            const auto line = record_line(record, {});
            for (const char c : line.substr(0, line.size() - 1)) ASSERT_TRUE(c >= 0x20 && c < 0x7f) << byte;
            ASSERT_EQ(line.back(), '\n');
        }
    }
}

TEST(JsonText, IsAsciiSoThatNoTerminalObeysIt)
{
    EXPECT_EQ(json_text(json("{\"b\":\"\\u001b\xc2\x9b\",\"a\":1}"), false), "{\"b\":\"\\u001b\\u009b\",\"a\":1}");
}

} // namespace
} // namespace gw::ctl
