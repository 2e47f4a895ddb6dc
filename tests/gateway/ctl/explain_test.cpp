#include "gateway/ctl/explain.h"
#include "tests/gateway/ctl/sample.h"

#include <gmock/gmock.h>

namespace gw::ctl {
namespace {

using ::testing::ElementsAre;
using testing::expect_golden;
using ::testing::HasSubstr;

const Configuration& sample()
{
    static const auto read = testing::configuration(testing::content_of(testing::golden_file("gateway.yaml")));
    return read;
}

Question about(std::string_view url, std::string_view to = "192.0.2.10")
{
    Question question;
    question.url = parse_url(url).value();
    question.packet.port = question.url.port;
    if (to.empty()) return question;
    question.packet.destination = Address::parse(to).value();
    question.destination_from = "--to";
    return question;
}

std::string text_for(const Question& question, bool all = false)
{
    return explanation_text(question, explain(question, sample()).value(), sample(), all, {});
}

TEST(Explain, ShowsTheWayOfARequestFromTheRuleToTheUpstream)
{
    auto question = about("http://shop.example.org/old/shoes?size=44");
    question.packet.client = Address::parse("198.51.100.7").value();
    question.headers = {{"X-Debug", "1"}, {"X-Real-IP", "6.6.6.6"}, {"Connection", "close"}, {"Accept", "*/*"}};
    expect_golden(text_for(question), "explain-route.txt");
    expect_golden(json_text(explanation_json(question, explain(question, sample()).value(), sample()), true) + '\n',
                  "explain-route.json");
}

TEST(Explain, ShowsNearMissesAndWhatIsNotReached)
{
    expect_golden(text_for(about("http://shop.example.org/cart")), "explain-near-miss.txt");
}

TEST(Explain, ShowsThatTlsIsChosenByItsNameAlone)
{
    expect_golden(text_for(about("https://shop.example.org/cart")), "explain-tls.txt");
}

TEST(Explain, SaysWhyNobodyTakesADestination)
{
    expect_golden(text_for(about("http://shop.example.org:9000/", "192.0.2.53")), "explain-not-captured.txt");
}

TEST(Explain, FallsBackToWhatTheListenerSays)
{
    expect_golden(text_for(about("http://other.example/x", "2001:db8:1::5")), "explain-default.txt");
    expect_golden(text_for(about("http://other.example:8443/x", "203.0.113.1")), "explain-bind.txt");
}

TEST(Explain, AssumesTheListenerThatTakesThePortWhenTheAddressIsNotKnown)
{
    expect_golden(text_for(about("http://shop.example.org/", "")), "explain-unknown-address.txt");
}

TEST(Explain, TellsExceptionsByTheirNetwork)
{
    auto question = about("http://shop.example.org/");
    question.packet.client = Address::parse("192.0.2.250").value();
    const auto answer = explain(question, sample()).value();
    EXPECT_FALSE(answer.listener);
    EXPECT_EQ(answer.fits[0].why, "the client 192.0.2.250 is excepted by except.from 192.0.2.250/32");
    EXPECT_EQ(explain(about("http://a.example/", "192.0.2.53"), sample()).value().fits[0].why,
              "the destination 192.0.2.53 is excepted by except.to 192.0.2.53/32");
}

TEST(Explain, PassesBytesOnWhereNothingIsLookedAt)
{
    const auto answer = explain(about("tcp://192.0.2.10:25"), sample()).value();
    EXPECT_EQ(answer.speaks, "tcp");
    EXPECT_EQ(answer.upstream, "192.0.2.10:25");
    EXPECT_TRUE(answer.tried.empty());
    EXPECT_FALSE(answer.waf_policy);
}

TEST(Explain, RefusesWhatTheListenerIsNotFor)
{
    const auto answer = explain(about("https://a.example:8443/", "203.0.113.1"), sample()).value();
    EXPECT_THAT(answer.ends, HasSubstr("the listener has protocol: http"));
}

TEST(Explain, KnowsAnswersTheGatewayGivesByItself)
{
    const auto gone = explain(about("http://gone.example.org/"), sample()).value();
    EXPECT_EQ(gone.decision.status, 410);
    EXPECT_EQ(gone.waf_why, "the gateway answers by itself");
    const auto moved = explain(about("http://moved.example.org/x"), sample()).value();
    EXPECT_EQ(moved.decision.action, route::Action::redirect);
    EXPECT_EQ(moved.decision.text, "https://shop.example.org/x");
    auto trace = about("http://shop.example.org/");
    trace.method = "TRACE";
    EXPECT_THAT(explain(trace, sample()).value().refused, HasSubstr("405"));
}

TEST(Explain, LetsTheHostFieldChooseTheRoute)
{
    auto question = about("http://192.0.2.10/");
    question.headers = {{"host", "GONE.example.org.:80"}};
    EXPECT_EQ(explain(question, sample()).value().decision.route, 4);
}

TEST(Explain, TakesTheListenerThatIsAskedFor)
{
    auto question = about("http://shop.example.org/old", "203.0.113.9");
    question.listener = "public";
    const auto answer = explain(question, sample()).value();
    EXPECT_EQ(answer.listener, 2u);
    EXPECT_TRUE(answer.asked_for);
    EXPECT_EQ(answer.tried[2].fate, Tried::Fate::near_miss); // of listener web only
    EXPECT_EQ(answer.decision.route, 3);
    EXPECT_THAT(answer.refused, HasSubstr("no original destination"));

    question.listener = "wbe";
    const auto none = explain(question, sample());
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().what, "no listener is named \"wbe\"; there are: web mail public");
}

TEST(Explain, ShowsTenOfEachKindUnlessAllAreWanted)
{
    std::string text = "listeners:\n  - bind: [\"0.0.0.0:80\"]\nroutes:\n";
    for (int i = 0; i < 30; ++i) text += "  - {host: h" + std::to_string(i) + ".example, to: \"http://10.0.0.1\"}\n";
    const auto many = testing::configuration(text);
    const auto question = about("http://h29.example/");
    const auto answer = explain(question, many).value();
    EXPECT_THAT(explanation_text(question, answer, many, false, {}), HasSubstr("and 19 more (--all shows them)"));
    EXPECT_THAT(explanation_text(question, answer, many, true, {}),
                HasSubstr("#28 h28.example / -> http://10.0.0.1 (gateway.yaml:32:5)"));
}

TEST(Capture, TakesTheFirstInterceptionBeforeAnyBind)
{
    using enum Fit::Answer;
    const auto& listeners = sample().settings.listeners;
    const auto fit = [](Fit::Answer answer) { return Fit{answer, "", {}}; };
    EXPECT_EQ(choose(listeners, {fit(yes), fit(yes), fit(yes)}), 0u);
    EXPECT_EQ(choose(listeners, {fit(no), fit(yes), fit(yes)}), 1u);
    EXPECT_EQ(choose(listeners, {fit(unknown), fit(no), fit(if_own)}), 2u);
    EXPECT_EQ(choose(listeners, {fit(unknown), fit(no), fit(yes)}), 2u);
    EXPECT_EQ(choose(listeners, {fit(no), fit(no), fit(no)}), std::nullopt);
}

TEST(Capture, AppliesABindOnlyToItsFamilyAndAddress)
{
    intake::ListenerSettings listener;
    listener.bind = {Endpoint::parse("0.0.0.0:80").value(), Endpoint::parse("[2001:db8::1]:80").value()};
    const auto fit = [&](const char* address, std::uint16_t port) {
        return fit_of(listener, {std::nullopt, Address::parse(address).value(), port}).answer;
    };
    EXPECT_EQ(fit("192.0.2.1", 80), Fit::Answer::if_own);
    EXPECT_EQ(fit("192.0.2.1", 81), Fit::Answer::no);
    EXPECT_EQ(fit("2001:db8::1", 80), Fit::Answer::yes);
    EXPECT_EQ(fit("2001:db8::2", 80), Fit::Answer::no);
    EXPECT_EQ(fit_of(listener, {std::nullopt, std::nullopt, 80}).answer, Fit::Answer::unknown);
}

} // namespace
} // namespace gw::ctl
