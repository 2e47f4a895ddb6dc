#include "tests/gateway/proxy/proxy_lab.h"

#include <gmock/gmock.h>

// What keeps one request from taking more than its share: loops, bodies that trickle, and memory that is short.

namespace gw::proxy::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;

TEST_F(ProxyTest, AddsItsNameToTheLoopFieldAndTakesNoneAway)
{
    instance = "gw-abcde12345";
    answer_to("GET / HTTP/1.1\r\nHost: a\r\nCDN-Loop: other; v=1, more\r\n\r\n");
    ASSERT_EQ(origin.asked.size(), 1U);
    EXPECT_THAT(origin.asked[0].raw_head, HasSubstr("CDN-Loop: other; v=1, more\r\n"));
    EXPECT_THAT(origin.asked[0].raw_head, HasSubstr("CDN-Loop: gw-abcde12345\r\n"));
    EXPECT_THAT(origin.asked[0].raw_head, Not(HasSubstr("Via:")))
        << "servers compress nothing for a request that has it";
}

TEST_F(ProxyTest, LetsARequestPassAFewTimesAndThenSaysThatItGoesRound)
{
    instance = "gw-abcde12345";
    settings.own_hops = 3;
    const std::string once = "cdn-loop: gw-abcde12345\r\n";
    EXPECT_THAT(answer_to("GET / HTTP/1.1\r\nHost: a\r\n" + once + once + "\r\n"), StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(answer_to("GET / HTTP/1.1\r\nHost: a\r\n" + once + once + once + "\r\n"), StartsWith("HTTP/1.1 508 "));
    EXPECT_THAT(
        answer_to("GET / HTTP/1.1\r\nHost: a\r\nCDN-Loop: gw-abcde12345, x, gw-abcde12345,gw-abcde12345\r\n\r\n"),
        StartsWith("HTTP/1.1 508 "));
    EXPECT_EQ(origin.asked.size(), 1U);
    ASSERT_TRUE(seen.back().error);
    EXPECT_EQ(seen.back().error->fault, Fault::denied);
    EXPECT_THAT(seen.back().error->what, HasSubstr("loop"));
}

TEST_F(ProxyTest, TakesNobodyElsesNameForItsOwn)
{
    instance = "gw-abcde12345";
    settings.own_hops = 1;
    EXPECT_THAT(
        answer_to("GET / HTTP/1.1\r\nHost: a\r\nCDN-Loop: gw-other, gw-abcde, gw-\r\nVia: 1.1 gw-abcde12345\r\n\r\n"),
        StartsWith("HTTP/1.1 200 "));
}

TEST_F(ProxyTest, AnswersShortageWith503AndWhenToComeAgain)
{
    shedding = true;
    const auto answer = answer_to("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(answer, HasSubstr("Retry-After: 1\r\n"));
    EXPECT_THAT(answer, HasSubstr("Connection: close"));
    EXPECT_TRUE(origin.asked.empty());
    EXPECT_EQ(seen.size(), 1U);
}

TEST_F(ProxyTest, GivesUpOnABodyThatTricklesThoughItNeverStops)
{
    settings.body_idle_limit = 10s;
    settings.body_grace = 300ms;
    settings.least_body_bytes_per_second = 1'000;
    const auto begin = std::chrono::steady_clock::now();
    const auto answer = talk("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx",
                             [](const std::string& received) -> std::string { return received.empty() ? "x" : "END"; });
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 408 "));
    ASSERT_TRUE(seen.at(0).error);
    EXPECT_EQ(seen[0].error->side, Side::client);
    EXPECT_EQ(seen[0].error->fault, Fault::timed_out);
    EXPECT_THAT(seen[0].error->what, HasSubstr("slower than 1000 bytes a second"));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 8s) << "the idle limit ended it, not the rate";
}

TEST_F(ProxyTest, WaitsForASlowBodyWhenTold)
{
    settings.body_grace = 0ms;
    settings.least_body_bytes_per_second = 0;
    const auto answer =
        talk("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n",
             [&](const std::string& received) -> std::string { return received.empty() ? "body" : "END"; });
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
}

} // namespace
} // namespace gw::proxy::testing
