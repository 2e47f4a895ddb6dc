// What the WAF sees of an exchange, and what its verdict does to it.

#include "tests/gateway/proxy/proxy_lab.h"

#include <gmock/gmock.h>

namespace gw::proxy::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;

class InspectingProxyTest : public ProxyTest {
protected:
    InspectingProxyTest()
    {
        inspect = true;
        waf.policies[0].mode = waf::Mode::block;
    }
    static waf::Verdict blocked()
    {
        waf::Verdict verdict;
        verdict.action = waf::Verdict::Action::block;
        verdict.refuse = true;
        verdict.hits.push_back({942100, "SQL injection", "ARGS:q", 2});
        return verdict;
    }
};

TEST_F(InspectingProxyTest, RefusesWhatTheRulesBlockAndGivesTheIncidentsNumber)
{
    inspector.on_request = [](const auto&) { return blocked(); };
    const auto answer = answer_to("GET /?q=1 HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 403 "));
    EXPECT_THAT(answer, HasSubstr("Incident: c1-1"));
    EXPECT_EQ(origin.connections, 0U);
}

TEST_F(InspectingProxyTest, ShowsTheEngineTheWholeBodyBeforeAnyOfItGoesOn)
{
    for (const auto* request :
         {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
          "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"}) {
        for (const std::size_t cut : {1U, 8U, 4096U}) {
            origin.asked.clear();
            inspector.request_bodies.clear();
            answer_to(request, cut);
            ASSERT_EQ(inspector.request_bodies.size(), 1U);
            EXPECT_EQ(inspector.request_bodies[0], "hello world");
            ASSERT_EQ(origin.asked.size(), 1U);
            EXPECT_EQ(origin.asked[0].body, "hello world");
            EXPECT_EQ(origin.asked[0].field("Content-Length"), "11");
        }
    }
}

TEST_F(InspectingProxyTest, AsksForABodyItMustSeeItself)
{
    bool sent = false;
    talk("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
         [&](const std::string& received) -> std::string {
             if (sent || received.find("100 Continue") == std::string::npos) return {};
             sent = true;
             return "body";
         });
    ASSERT_EQ(origin.asked.size(), 1U);
    EXPECT_EQ(origin.asked[0].body, "body");
    EXPECT_EQ(origin.asked[0].count("Expect"), 0U);
}

TEST_F(InspectingProxyTest, RefusesABodyLongerThanIsInspected)
{
    waf.request_max_bytes = 8;
    EXPECT_THAT(answer_to("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123456789"),
                StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(
        answer_to("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n"),
        StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(answer_to("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n12345678"),
                StartsWith("HTTP/1.1 200 "));
    EXPECT_EQ(origin.asked.size(), 1U);
}

TEST_F(InspectingProxyTest, LetsALongBodyPassUninspectedWhenTold)
{
    waf.request_max_bytes = 8;
    waf.over_limit = waf::OverLimit::pass_uninspected;
    for (const auto* request :
         {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n123456789abc",
          "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n3\r\nabc\r\n0\r\n\r\n"}) {
        for (const std::size_t cut : {3U, 4096U}) {
            origin.asked.clear();
            inspector.request_bodies.clear();
            EXPECT_THAT(answer_to(request, cut), StartsWith("HTTP/1.1 200 "));
            EXPECT_EQ(inspector.request_bodies.at(0), "12345678");
            ASSERT_EQ(origin.asked.size(), 1U);
            EXPECT_EQ(origin.asked[0].body, "123456789abc");
        }
    }
}

TEST_F(InspectingProxyTest, RefusesAResponseTheRulesBlock)
{
    origin.reply = [](const Asked&) {
        return "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\nsql error";
    };
    inspector.on_response = [](const waf::ResponseView& view) {
        return view.body == "sql error" ? blocked() : waf::Verdict{};
    };
    const auto answer = answer_to("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 403 "));
    EXPECT_THAT(answer, Not(HasSubstr("sql error")));
}

TEST_F(InspectingProxyTest, RefusesAResponseWhileTheRequestIsStillOnItsWay)
{
    waf.request_max_bytes = 16;
    waf.over_limit = waf::OverLimit::pass_uninspected;
    origin.reply_to_head = [](const Asked&) {
        return "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\nsql error";
    };
    inspector.on_response = [](const auto&) { return blocked(); };
    const auto answer = talk("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" + std::string(300, 'x'),
                             [](const std::string& received) -> std::string { return received.empty() ? "" : "END"; });
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 403 "));
    EXPECT_THAT(answer, HasSubstr("Connection: close"));
    EXPECT_EQ(occurrences(answer, "HTTP/1.1 "), 1U);
}

TEST_F(InspectingProxyTest, PassesALongResponseOnAfterItsInspectedBeginning)
{
    waf.response_max_bytes = 16;
    const std::string body(100'000, 'z');
    for (const bool chunked : {false, true}) {
        origin.reply = [&](const Asked&) {
            if (!chunked) return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n" + body;
            return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n" + body +
                   "\r\n0\r\n\r\n";
        };
        inspector.response_bodies.clear();
        const auto answer = answer_to("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        EXPECT_EQ(inspector.response_bodies.at(0), std::string(16, 'z'));
        EXPECT_EQ(std::count(answer.begin(), answer.end(), 'z'), 100'000);
    }
}

TEST_F(InspectingProxyTest, DetectionHoldsNothingBack)
{
    waf.policies[0].mode = waf::Mode::detect;
    inspector.on_request = [](const auto&) {
        auto verdict = blocked();
        verdict.action = waf::Verdict::Action::pass;
        verdict.refuse = false;
        return verdict;
    };
    origin.reply = [](const Asked&) {
        return "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\nsql error";
    };
    const auto answer = answer_to("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(answer, ::testing::EndsWith("sql error"));
    EXPECT_EQ(inspector.response_bodies.at(0), "sql error");
}

/// What a connection holds when it waits for the first time after its exchange.
class LingeringTest : public InspectingProxyTest {
protected:
    struct Holdings {
        int inspections = 0;
        std::size_t request_bytes = 0, response_bytes = 0;
        bool lingers = false;
    };
    void ended(const ExchangeRecord& record) override
    {
        ProxyTest::ended(record);
        asio::post(io, [this] {
            if (live.held_request == nullptr) return; // it has gone already
            held = {inspector.under_way, live.held_request->capacity(), live.held_response->capacity(), true};
        });
    }
    Holdings held;
};

TEST_F(LingeringTest, HoldsNoInspectionAndNoBodiesOnceTheLastAnswerIsSent)
{
    origin.reply = [](const Asked&) {
        return "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n" +
               std::string(100'000, 'z');
    };
    waf.policies[0].mode = waf::Mode::block;
    const auto answer = talk("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n" +
                                 std::string(100'000, 'x') + "GET /unread HTTP/1.1\r\n",
                             [](const std::string&) { return std::string{}; });
    EXPECT_EQ(std::count(answer.begin(), answer.end(), 'z'), 100'000);
    ASSERT_TRUE(held.lingers) << "nothing was left unread";
    EXPECT_EQ(held.inspections, 0);
    EXPECT_LE(held.request_bytes, 16U * 1024);
    EXPECT_LE(held.response_bytes, 16U * 1024);
    EXPECT_EQ(inspector.under_way, 0);
}

} // namespace
} // namespace gw::proxy::testing
