#include "gateway/control/answers.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

namespace gw::control {
namespace {

using Json = nlohmann::json;

Snapshot snapshot()
{
    intake::ListenerSettings listener;
    listener.name = "web";
    listener.where = {"gateway.yaml", 2, 5};
    listener.intercept.emplace();
    listener.intercept->to = {*Network::parse("192.0.2.0/24")};
    listener.intercept->ports = {{80, 80}, {8000, 8080}};
    route::RouteSettings route;
    route.host = "shop.example";
    route.to = "original";
    proxy::Site site{
        std::get<route::Table>(route::Table::build({route})), std::vector<proxy::RoutePlan>(1), {}, {}, {}};
    Snapshot now;
    now.generation = std::make_shared<session::Generation>(
        session::Generation{7, {listener}, std::move(site), nullptr, nullptr, nullptr, {}, {}, {}, {}});
    now.workers = 2;
    now.counters.requests = 10;
    now.counters.responses[1] = 9;
    now.counters.routes = {{4, 1'700'000'000}};
    now.counters.listeners["web"] = {5, 1};
    now.counters.faults[1][4] = 3;
    now.counters.request_durations.add(std::chrono::milliseconds{2});
    return now;
}

TEST(Status, TellsListenersTotalsAndFaults)
{
    const auto json = Json::parse(status_json(snapshot()));
    EXPECT_EQ(json["generation"], 7);
    EXPECT_EQ(json["listeners"][0]["addresses"][1], "192.0.2.0/24 port 8000-8080");
    EXPECT_EQ(json["listeners"][0]["connections_active"], 1);
    EXPECT_EQ(json["totals"]["requests"], 10);
    EXPECT_EQ(json["responses"]["2xx"], 9);
    EXPECT_EQ(json["faults"][0]["side"], "upstream");
    EXPECT_EQ(json["faults"][0]["fault"], "timed_out");
    EXPECT_TRUE(json["problems"].empty());
}

TEST(Status, SaysWhenAWorkerDoesNotAnswer)
{
    auto now = snapshot();
    now.workers_silent = 1;
    EXPECT_EQ(Json::parse(status_json(now))["problems"].size(), 1U);
}

TEST(Routes, TellHowOftenEachWasTaken)
{
    const auto json = Json::parse(routes_json(snapshot()));
    EXPECT_EQ(json["routes"][0]["hits"], 4);
    EXPECT_EQ(json["routes"][0]["last_hit"], 1'700'000'000);
}

TEST(Metrics, AreWellFormedAndEachFamilyIsSaidOnce)
{
    auto now = snapshot();
    now.counters.listeners["we\"ird\n"] = {1, 0};
    std::istringstream lines{metrics_text(now)};
    std::set<std::string> families;
    std::string family;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("# TYPE ")) {
            family = line.substr(7, line.find(' ', 7) - 7);
            EXPECT_TRUE(families.insert(family).second) << family;
            EXPECT_TRUE(family.starts_with("gateway_")) << family;
        } else if (!line.starts_with("#")) {
            EXPECT_TRUE(line.starts_with(family)) << line;
            EXPECT_NE(line.rfind(' '), std::string::npos) << line;
        }
    }
    EXPECT_GT(families.size(), 15U);
    EXPECT_THAT(metrics_text(now), ::testing::HasSubstr(R"(gateway_connections_total{listener="we\"ird\n"} 1)"));
    EXPECT_THAT(metrics_text(now), ::testing::HasSubstr("gateway_request_duration_seconds_bucket{le=\"+Inf\"} 1\n"));
}

TEST(Metrics, CountTheRecordsThatWereLeftOut)
{
    auto now = snapshot();
    now.counters.suppressed_records = {5, 6, 7};
    for (const auto* line : {R"({kind="connection"} 5)", R"({kind="request"} 6)", R"({kind="flow"} 7)"})
        EXPECT_THAT(metrics_text(now), ::testing::HasSubstr(std::string("gateway_log_suppressed_total") + line));
}

TEST(LogQueries, AreUnderstoodOrRefused)
{
    const auto query = parse_log_query("after=5&limit=20&client=192.0.2.0%2F24&status=4xx&wait_ms=100");
    ASSERT_TRUE(query);
    EXPECT_EQ(query->after, 5U);
    EXPECT_EQ(query->limit, 20U);
    EXPECT_EQ(query->client, "192.0.2.0/24");
    for (const auto* wrong : {"after=x", "limit=-1", "colour=red", "after=99999999999999999999"})
        EXPECT_FALSE(parse_log_query(wrong)) << wrong;
}

TEST(LogQueries, GiveTheRecordsThatFit)
{
    session::LogWriter::Recent recent;
    recent.next = 4;
    recent.records = {
        R"({"kind":"connection","client":"192.0.2.7:1","server_name":"a.example"})",
        R"({"kind":"request","client":"192.0.2.7:1","host":"a.example","status":403,"route":2,"waf":{"verdict":"block"}})",
        R"({"kind":"request","client":"198.51.100.1:1","host":"b.example","status":200,"route":-1})"};
    const auto count = [&](std::string_view query) {
        return Json::parse(log_json(recent, *parse_log_query(query)))["records"].size();
    };
    EXPECT_EQ(count(""), 3U);
    EXPECT_EQ(count("kind=request"), 2U);
    EXPECT_EQ(count("status=4xx"), 1U);
    EXPECT_EQ(count("status=200"), 1U);
    EXPECT_EQ(count("client=192.0.2.0/24"), 2U);
    EXPECT_EQ(count("client=nonsense"), 0U);
    EXPECT_EQ(count("host=a.example"), 2U);
    EXPECT_EQ(count("route=2"), 1U);
    EXPECT_EQ(count("verdict=block"), 1U);
    EXPECT_EQ(count("limit=1"), 1U);
}

TEST(LogQueries, TellWhatWasLeftOutWhereverItMightHaveFitted)
{
    session::LogWriter::Recent recent;
    recent.records = {R"({"kind":"suppressed","suppressed":7,"connections":7,"requests":0,"flows":0})"};
    const auto count = [&](std::string_view query) {
        return Json::parse(log_json(recent, *parse_log_query(query)))["records"].size();
    };
    for (const auto* fits :
         {"", "kind=suppressed", "client=192.0.2.0/24", "host=a.example", "status=4xx", "route=2", "verdict=pass"})
        EXPECT_EQ(count(fits), 1U) << fits;
    for (const auto* does_not : {"kind=connection", "verdict=block", "verdict=detected"})
        EXPECT_EQ(count(does_not), 0U) << does_not;
}

} // namespace
} // namespace gw::control
