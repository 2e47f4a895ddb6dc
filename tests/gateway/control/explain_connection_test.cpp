#include "gateway/control/explain_connection.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace gw::control {
namespace {

using Json = nlohmann::json;

session::GenerationPtr generation()
{
    intake::ListenerSettings listener;
    listener.name = "web";
    listener.intercept.emplace();
    listener.intercept->where = {"gateway.yaml", 3, 16};
    route::RouteSettings post, shop, other;
    post.host = shop.host = "shop.example";
    other.host = "other.example";
    post.method = "POST";
    post.to = "respond:200 posted";
    shop.to = other.to = "original";
    shop.where = {"gateway.yaml", 9, 5};
    proxy::Site site{
        std::get<route::Table>(route::Table::build({other, post, shop})), std::vector<proxy::RoutePlan>(3), {}, {}, {}};
    return std::make_shared<session::Generation>(
        session::Generation{7, {listener}, std::move(site), nullptr, nullptr, nullptr, {}, {}, {}, {}});
}

constexpr const char* connection_line =
    R"({"time":"2026-11-21T08:00:00.123Z","kind":"connection","id":"abcde0.7","listener":"web",)"
    R"("client":"198.51.100.7:40000","destination":"192.0.2.10:80","recovered":"socket_name","protocol":"http1",)"
    R"("generation":7,"route":2,"action":"http","upstream":"192.0.2.10:80","source_kept":true,"source":"kept",)"
    R"("upstream_connections":1,"upstream_reuses":1,"from_client_bytes":10,"to_client_bytes":20,"requests":2,)"
    R"("peek_ms":0.5,"dial_ms":1.5,"duration_ms":100.000,"end":"timed_out","side":"upstream","what":"read"})";
constexpr const char* request_line =
    R"({"kind":"request","id":"abcde0.7-2","connection":"abcde0.7","method":"GET","host":"shop.example",)"
    R"("target":"/a/../b?x=1","status":200,"route":2,"action":"forward_original"})";

session::LogWriter::Recent log_of(std::vector<std::string> lines) { return {lines.size() + 1, 0, std::move(lines)}; }

TEST(ConnectionName, IsAnIdARequestsIdOrAClientsEndpoint)
{
    EXPECT_EQ(parse_connection_name("abcde0.7")->id, "abcde0.7");
    EXPECT_EQ(parse_connection_name("abcde0.7-2")->id, "abcde0.7");
    EXPECT_EQ(parse_connection_name("192.0.2.7:40000")->client->text(), "192.0.2.7:40000");
    EXPECT_EQ(parse_connection_name("%5B2001:db8::1%5D:443")->client->text(), "[2001:db8::1]:443");
    for (const auto* wrong : {"", "abc\"de", "a b", "192.0.2.7", "..%2f..%2fetc%00"})
        EXPECT_FALSE(parse_connection_name(wrong)) << wrong;
    EXPECT_FALSE(parse_connection_name(std::string(1'000, 'a')));
}

TEST(ExplainConnection, FindsTheNewestRecordAndItsRequests)
{
    auto older = std::string{connection_line};
    older.replace(older.find("abcde0.7"), 8, "abcde0.1");
    const auto recent = log_of({older, request_line, connection_line,
                                R"({"kind":"request","id":"abcde0.77-1",)"
                                R"("connection":"abcde0.77"})"});
    ConnectionCase by_id, by_client, nobody;
    EXPECT_TRUE(add_from_log(recent, *parse_connection_name("abcde0.7-1"), by_id));
    EXPECT_EQ(by_id.record, connection_line);
    EXPECT_EQ(by_id.requests, std::vector<std::string>{request_line});
    EXPECT_TRUE(add_from_log(recent, *parse_connection_name("198.51.100.7:40000"), by_client));
    EXPECT_EQ(by_client.record, connection_line);
    EXPECT_FALSE(add_from_log(recent, *parse_connection_name("abcde0.8"), nobody));
}

TEST(ExplainConnection, TellsWhatCaughtItWhereItWentAndWhyItEnded)
{
    const netfilter::Settings kernel;
    const ConnectionCase known{connection_line, false, {request_line}, generation(), 7, &kernel};
    const auto json = Json::parse(explanation_of(known));

    EXPECT_EQ(json["id"], "abcde0.7");
    EXPECT_EQ(json["state"], "ended");
    EXPECT_EQ(json["configuration"]["same"], true);
    EXPECT_EQ(json["capture"]["where"], "gateway.yaml:3:16");
    EXPECT_EQ(json["capture"]["mode"], "tproxy");
    EXPECT_EQ(json["capture"]["kernel"]["mark"], "0x01000000/0x03000000");
    EXPECT_NE(json["capture"]["recovered_how"].get<std::string>().find("TPROXY"), std::string::npos);
    EXPECT_EQ(json["peek"]["protocol"], "http1");
    EXPECT_EQ(json["route"]["asked"], "GET shop.example/b?x=1");
    ASSERT_EQ(json["route"]["tried"].size(), 2U) << json["route"].dump(1);
    EXPECT_EQ(json["route"]["tried"][0]["result"], "near miss");
    EXPECT_EQ(json["route"]["tried"][0]["method"], "POST");
    EXPECT_EQ(json["route"]["tried"][1]["result"], "taken");
    EXPECT_EQ(json["route"]["tried"][1]["where"], "gateway.yaml:9:5");
    EXPECT_EQ(json["upstream"]["address"], "192.0.2.10:80");
    EXPECT_EQ(json["upstream"]["source_kept"], true);
    EXPECT_EQ(json["upstream"]["upstream_reuses"], 1);
    EXPECT_EQ(json["traffic"]["to_client_bytes"], 20);
    EXPECT_EQ(json["timings"]["dial_ms"], 1.5);
    EXPECT_EQ(json["requests"].size(), 1U);
    EXPECT_EQ(json["end"]["why"], "the upstream took too long");
}

TEST(ExplainConnection, ShowsRoutesThatTlsOnItsWayCannotTake)
{
    auto record = Json::parse(connection_line);
    record["protocol"] = "tls";
    record["server_name"] = "shop.example";
    record["action"] = "forward_original";
    const ConnectionCase known{record.dump(), false, {}, generation(), 7, nullptr};
    const auto json = Json::parse(explanation_of(known));
    EXPECT_EQ(json["route"]["asked"], "TLS for shop.example");
    ASSERT_EQ(json["route"]["tried"].size(), 2U) << json["route"].dump(1);
    EXPECT_EQ(json["route"]["tried"][0]["why"], "path and method cannot be seen in TLS that is passed on");
    EXPECT_EQ(json["route"]["tried"][1]["result"], "taken");
}

TEST(ExplainConnection, SaysWhenItsConfigurationHasGone)
{
    const ConnectionCase known{connection_line, false, {request_line}, nullptr, 9, nullptr};
    EXPECT_TRUE(was_of(known, 7));
    EXPECT_FALSE(was_of(known, 9));
    const auto json = Json::parse(explanation_of(known));
    EXPECT_EQ(json["configuration"]["same"], false);
    EXPECT_EQ(json["route"]["note"], "the configuration it was served by is no longer there");
    EXPECT_EQ(json["capture"]["listener"], "web");
}

TEST(ConnectionList, TakesFiltersAndRefusesOthersByName)
{
    const auto filter = parse_connection_query("listener=web&client=192.0.2.0%2F24&upstream=10.0.0.1:80&limit=5");
    ASSERT_TRUE(filter);
    EXPECT_EQ(filter->listener, "web");
    EXPECT_EQ(filter->client->text(), "192.0.2.0/24");
    EXPECT_EQ(filter->upstream->text(), "10.0.0.1");
    EXPECT_EQ(filter->upstream_port, 80);
    EXPECT_EQ(filter->limit, 5U);
    EXPECT_EQ(parse_connection_query("")->limit, 10'000U);
    EXPECT_EQ(parse_connection_query("limit=99999999")->limit, 100'000U);
    for (const auto* wrong : {"limit=x", "client=nobody", "upstream=:", "sort=bytes", "limit="})
        EXPECT_FALSE(parse_connection_query(wrong)) << wrong;
}

TEST(ConnectionList, SaysHowManyItDoesNotShow)
{
    const auto json =
        Json::parse(connections_json({{R"({"id":"a"})", 1, 3, 10}, {"", 0, 0, 2}, {R"({"id":"b"})", 1, 1, 1}}));
    EXPECT_EQ(json["total"], 13);
    EXPECT_EQ(json["matching"], 4);
    EXPECT_EQ(json["listed"], 2);
    EXPECT_EQ(json["truncated"], true);
    EXPECT_EQ(json["connections"][1]["id"], "b");
}

} // namespace
} // namespace gw::control
