#include "gateway/session/record.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace gw::session {
namespace {

using Json = nlohmann::json;

ConnectionRecord connection()
{
    ConnectionRecord record;
    record.id = "abc1";
    record.flow.listener = "web";
    record.flow.client = *Endpoint::parse("192.0.2.7:40000");
    record.flow.destination = *Endpoint::parse("[2001:db8::1]:443");
    record.kind = Hello::Kind::tls;
    record.tls = std::make_unique<TlsOffer>(TlsOffer{"site.example", {}, false});
    record.action = "forward_original";
    return record;
}

TEST(ConnectionRecord, IsOneLineOfJson)
{
    auto record = connection();
    record.relayed.from_client_bytes = 10;
    record.error = std::make_unique<Error>(Error{Fault::timed_out, Side::upstream, "connect", {}});
    std::string line;
    append_json_line(line, record, record.began + std::chrono::microseconds{12'345});

    const auto json = Json::parse(line);
    EXPECT_EQ(json["kind"], "connection");
    EXPECT_EQ(json["client"], "192.0.2.7:40000");
    EXPECT_EQ(json["destination"], "[2001:db8::1]:443");
    EXPECT_EQ(json["duration_ms"], 12.345);
    EXPECT_EQ(json["end"], "timed_out");
    EXPECT_EQ(json["side"], "upstream");
    EXPECT_EQ(line.find('\n'), std::string::npos);
}

TEST(RequestRecord, NamesTheRulesTheScoreAndTheIncident)
{
    proxy::ExchangeRecord record;
    record.number = 3;
    record.method = "GET";
    record.host = "site.example";
    record.target = "/?q=1";
    record.status = 403;
    record.waf_mode = waf::Mode::block;
    record.incident = true;
    record.request_verdict.emplace();
    record.request_verdict->action = waf::Verdict::Action::block;
    record.request_verdict->score = 5;
    record.request_verdict->hits = {{942100, "SQL Injection", "ARGS:q", 2}, {949110, "Anomaly score", "TX", 2}};
    std::string line;
    append_json_line(line, record, connection());

    const auto json = Json::parse(line);
    EXPECT_EQ(json["id"], "abc1-3");
    EXPECT_EQ(json["waf"]["verdict"], "block");
    EXPECT_EQ(json["waf"]["rules"], (std::vector<int>{942100, 949110}));
    EXPECT_EQ(json["waf"]["incident"], "abc1-3");
    EXPECT_EQ(json["waf"]["matches"][0]["matched"], "ARGS:q");
}

TEST(RequestRecord, TellsTheNamesInAQueryAndTheValuesOnlyWhenAskedTo)
{
    const std::pair<const char*, const char*> rows[] = {
        {"/plain", "/plain"},
        {"/a?", "/a?"},
        {"/a?q=", "/a?q="},
        {"/a?q=shoes", "/a?q=***"},
        {"/a?user=me&password=s3cret&x", "/a?user=***&password=***&***"},
        {"/a?s3cret", "/a?***"},
        {"/a?x=1;y=2=3", "/a?x=***;y=***"},
        {"/a?&&=&=v", "/a?&&=&=***"},
        {"http://a.example/?q=1?r=2", "http://a.example/?q=***"},
        {"*", "*"},
    };
    for (const auto& [target, expected] : rows) {
        EXPECT_EQ(without_values(target), expected);
        proxy::ExchangeRecord record;
        record.target = target;
        std::string line, whole, human;
        append_json_line(line, record, connection());
        append_json_line(whole, record, connection(), true);
        append_human_line(human, record, connection());
        EXPECT_EQ(Json::parse(line)["target"], expected);
        EXPECT_EQ(Json::parse(whole)["target"], target);
        EXPECT_NE(human.find(expected), std::string::npos) << human;
    }
}

TEST(RequestRecord, LetsNoByteOfAClientForgeALine)
{
    for (int byte = 0; byte < 256; ++byte) {
        const std::string hostile =
            std::string{"a"} + static_cast<char>(byte) + "\",\"status\":200}\r\n{\"kind\":\"request\"";
        proxy::ExchangeRecord record;
        record.method = "GET";
        record.host = hostile;
        record.target = hostile;
        record.error = Error{Fault::malformed, Side::client, hostile, {}};
        record.status = 400;
        std::string line;
        append_json_line(line, record, connection());
        EXPECT_EQ(line.find_first_of("\r\n"), std::string::npos) << byte;
        const auto json = Json::parse(line, nullptr, false);
        ASSERT_FALSE(json.is_discarded()) << byte;
        EXPECT_EQ(json["status"], 400) << byte;

        std::string human;
        append_human_line(human, record, connection());
        for (const char c : human) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << byte;
    }
}

} // namespace
} // namespace gw::session
