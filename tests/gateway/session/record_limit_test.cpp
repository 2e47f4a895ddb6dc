#include "gateway/session/record_limit.h"

#include "gateway/session/record_batch.h"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace gw::session {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

int admitted(RecordLimit& limit, int count, RecordLimit::Clock::time_point at)
{
    int in = 0;
    for (int i = 0; i < count; ++i) in += limit.admits(RecordKind::connection, at) ? 1 : 0;
    return in;
}

TEST(RecordLimit, LetsSoManyInAtOnceAndThenSoManyASecond)
{
    RecordLimit limit;
    const auto start = RecordLimit::Clock::now();
    EXPECT_EQ(admitted(limit, 1'000, start), RecordLimit::at_once);
    EXPECT_EQ(admitted(limit, 1'000, start + 100ms), RecordLimit::per_second / 10);
    int in = 0;
    for (auto at = start + 200ms; at <= start + 10s + 100ms; at += 1ms) in += admitted(limit, 10, at);
    EXPECT_EQ(in, RecordLimit::per_second * 10);
    EXPECT_EQ(admitted(limit, 1'000, start + 1h), RecordLimit::at_once) << "what is not used is not saved up";
}

TEST(RecordLimit, LeavesNothingOutOfWhatComesSlowly)
{
    RecordLimit limit;
    auto at = RecordLimit::Clock::now();
    for (int i = 0; i < 1'000; ++i, at += 10ms) EXPECT_TRUE(limit.admits(RecordKind::request, at));
    EXPECT_FALSE(limit.take());
}

TEST(RecordLimit, TellsOnceHowManyOfWhatWereLeftOut)
{
    RecordLimit limit;
    const auto now = RecordLimit::Clock::now();
    admitted(limit, RecordLimit::at_once + 7, now);
    EXPECT_FALSE(limit.admits(RecordKind::request, now));
    EXPECT_FALSE(limit.admits(RecordKind::flow, now));
    const auto left_out = limit.take();
    ASSERT_TRUE(left_out);
    EXPECT_EQ(left_out->counts, (RecordCounts{7, 1, 1}));
    EXPECT_EQ(left_out->sum(), 9U);
    EXPECT_FALSE(limit.take());
    EXPECT_EQ(limit.total(), (RecordCounts{7, 1, 1}));
}

TEST(RecordLimit, HoldsForWhatCameToNothingOnly)
{
    proxy::ExchangeRecord request;
    EXPECT_FALSE(is_exempt(request));
    request.incident = true; // a body larger than is inspected: the cheapest thing to send
    EXPECT_FALSE(is_exempt(request));
    request.request_verdict.emplace();
    EXPECT_FALSE(is_exempt(request));
    request.request_verdict->hits = {{942100, "SQL Injection", "ARGS:q", 2}};
    EXPECT_TRUE(is_exempt(request)) << "what a rule matched";
    proxy::ExchangeRecord blocked;
    blocked.response_verdict.emplace().action = waf::Verdict::Action::block;
    EXPECT_TRUE(is_exempt(blocked));
    proxy::ExchangeRecord served;
    served.served = true;
    served.error = Error{Fault::closed, Side::client, "in the middle of the answer", {}};
    EXPECT_TRUE(is_exempt(served));

    ConnectionRecord connection;
    EXPECT_FALSE(is_exempt(connection)) << "nothing was asked, or nothing answered";
    connection.live.requests = 3;
    connection.live.from_client_bytes = 10;
    EXPECT_FALSE(is_exempt(connection));
    connection.has_exempt_request = true;
    EXPECT_TRUE(is_exempt(connection));
    ConnectionRecord relayed;
    relayed.relayed.from_client_bytes = 1;
    EXPECT_TRUE(is_exempt(relayed));

    datagram::Flow flow{datagram::FlowKey{}};
    EXPECT_FALSE(is_exempt(flow));
    flow.answered = true;
    EXPECT_TRUE(is_exempt(flow));
}

TEST(Suppressed, IsOneLineEitherWay)
{
    const Suppressed left_out{{7, 2, 0}, std::chrono::system_clock::time_point{1'700'000'000s}};
    std::string line;
    append_json_line(line, left_out, 1);
    const auto json = Json::parse(line);
    EXPECT_EQ(json["kind"], "suppressed");
    EXPECT_EQ(json["suppressed"], 9);
    EXPECT_EQ(json["connections"], 7);
    EXPECT_EQ(json["requests"], 2);
    EXPECT_EQ(json["flows"], 0);
    EXPECT_EQ(json["since"], "2023-11-14T22:13:20.000Z");
    EXPECT_EQ(json["worker"], 1);
    std::string human;
    append_human_line(human, left_out, 1);
    EXPECT_NE(human.find(" suppressed 9 records since 2023-11-14T22:13:20.000Z: 7 connections, 2 requests, 0 flows"),
              std::string::npos)
        << human;
}

class RecordBatchTest : public ::testing::Test {
protected:
    void add(int count, bool exempt)
    {
        for (int i = 0; i < count; ++i)
            batch.add(
                AccessLog::Format::off, {RecordKind::connection, true, exempt},
                [](std::string& out) { out += R"({"kind":"x"})"; }, [](std::string& out) { out += "x"; });
    }
    std::vector<Json> records() const
    {
        std::vector<Json> all;
        for (const auto& line : log.recent(0, 100'000).records) all.push_back(Json::parse(line));
        return all;
    }

    asio::io_context io{1};
    DeadlineWheel wheel{io.get_executor()};
    LogWriter log;
    RecordBatch batch{0, log, wheel};
};

TEST_F(RecordBatchTest, WritesAllThatIsExempt)
{
    add(5'000, true);
    batch.finish();
    log.finish();
    EXPECT_EQ(records().size(), 5'000U);
}

TEST_F(RecordBatchTest, LosesNoCountWhenItEnds)
{
    add(5'000, false);
    batch.finish();
    log.finish();
    const auto all = records();
    ASSERT_FALSE(all.empty());
    EXPECT_EQ(all.back()["kind"], "suppressed");
    EXPECT_EQ(all.back()["suppressed"].get<std::size_t>() + all.size() - 1, 5'000U);
    EXPECT_GE(all.size() - 1, static_cast<std::size_t>(RecordLimit::at_once));
    EXPECT_LT(all.size(), 1'000U);
    EXPECT_EQ(batch.suppressed()[0], all.back()["suppressed"].get<std::uint64_t>());
}

TEST_F(RecordBatchTest, TellsWhatWasLeftOutWithinTheNextSecondThoughNothingFollows)
{
    add(5'000, false);
    const auto begin = std::chrono::steady_clock::now();
    const auto is_told = [&] {
        const auto all = records();
        return !all.empty() && all.back()["kind"] == "suppressed";
    };
    while (!is_told() && std::chrono::steady_clock::now() - begin < 30s) {
        io.restart();
        io.run_for(20ms);
    }
    EXPECT_TRUE(is_told());
    EXPECT_GE(std::chrono::steady_clock::now() - begin, RecordLimit::longest_silence);
    wheel.stop();
}

} // namespace
} // namespace gw::session
