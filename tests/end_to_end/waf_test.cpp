// The WAF on the way of real requests, and what becomes of them when an inspector dies or hangs.

#include "tests/end_to_end/scene.h"

#include <csignal>

namespace gw::lab {
namespace {

constexpr auto injection = "/item?id=1%27%20OR%20%271%27=%271%27%20--%20";

class Waf : public Appliance {
protected:
    void SetUp() override
    {
        Appliance::SetUp();
        if (!cannot_run()) network.knows("shop.example", "10.0.2.11", "fd00:2::11");
    }
    Answer asks(const std::string& target, Command options = {}) const
    {
        return network.client("10.0.1.2").asks("http://shop.example" + target, std::move(options));
    }
    /// Requests are told apart by their queries.
    static std::string inspecting(std::string_view more)
    {
        return intercepting(std::string("logs: {access: {query: full}}\n").append(more));
    }
    Json waf_of(std::string_view target) const { return gateway.request_record(target).value("waf", Json::object()); }

    std::unique_ptr<Origin> origin_made_ =
        cannot_run() ? nullptr : std::make_unique<Origin>(network.servers(), "10.0.2.11:80", echoes());
    Origin& origin = *origin_made_;
};

std::vector<int> rules_of(const Json& waf) { return waf.value("rules", std::vector<int>{}); }

TEST_F(Waf, RefusesAnSqlInjectionAndNamesTheRuleInTheLog)
{
    gateway.runs_with(inspecting("waf: {mode: block}"));

    const auto fine = asks("/item?id=17");
    const auto attack = asks(injection);

    EXPECT_EQ(fine.status, 200) << fine.body;
    EXPECT_EQ(attack.status, 403);
    const auto record = gateway.request_record(injection);
    EXPECT_THAT(rules_of(record["waf"]), ::testing::Contains(942100)) << record;
    EXPECT_EQ(record["waf"].value("verdict", ""), "block");
    const auto incident = record["waf"].value("incident", "");
    ASSERT_FALSE(incident.empty()) << record;
    EXPECT_THAT(attack.body, HasSubstr(incident));
    EXPECT_THAT(attack.body, Not(HasSubstr("942100")));
    EXPECT_EQ(waf_of("/item?id=17").value("verdict", ""), "pass");
    EXPECT_THAT(origin.received(), Not(HasSubstr("OR%20")));
}

TEST_F(Waf, LetsPassWhatItOnlyDetects)
{
    gateway.runs_with(inspecting("waf: {mode: detect}"));
    EXPECT_EQ(asks(injection).status, 200);
    const auto waf = waf_of(injection);
    EXPECT_EQ(waf.value("verdict", ""), "detected");
    EXPECT_THAT(rules_of(waf), ::testing::Contains(942100));
}

TEST_F(Waf, ObeysEachRoutesPolicy)
{
    gateway.runs_with(inspecting(R"(
waf: {mode: block}
routes:
  - {path: /free, to: original, waf: {mode: "off"}}
  - {path: /lenient, to: original, waf: {mode: block, disable_rules: [942100, 942180, 942190, 942330, 942390, 942430]}}
  - {path: /spared, to: original, waf: {mode: block, disable_targets: {942100: ["ARGS:id"], 942390: ["ARGS:id"]}}}
)"));
    const std::string query = "?id=1%27%20OR%20%271%27=%271%27%20--%20";
    EXPECT_EQ(asks("/item" + query).status, 403);
    EXPECT_EQ(asks("/free" + query).status, 200);
    EXPECT_FALSE(gateway.request_record("/free" + query).contains("waf"));
    asks("/lenient" + query);
    EXPECT_THAT(rules_of(waf_of("/lenient" + query)), Not(::testing::Contains(942100)));
    asks("/spared" + query);
    EXPECT_THAT(rules_of(waf_of("/spared" + query)), Not(::testing::Contains(942100)));
}

TEST_F(Waf, ReadsBodies)
{
    gateway.runs_with(inspecting("waf: {mode: block, bodies: {request_max: 64KiB}}"));
    EXPECT_EQ(asks("/form", {"--data", "comment=hello"}).status, 200);
    EXPECT_EQ(asks("/form", {"--data", "comment=<script>alert(1)</script>"}).status, 403);
    EXPECT_EQ(asks("/json", {"-H", "Content-Type: application/json", "--data", R"({"q": "1' OR '1'='1' -- "})"}).status,
              403);
    EXPECT_EQ(
        asks("/chunked", {"-H", "Transfer-Encoding: chunked", "--data", "comment=<script>alert(1)</script>"}).status,
        403);
    const Folder folder;
    folder.write("large", "a=" + std::string(70'000, 'x'));
    EXPECT_EQ(asks("/large", {"--data", "@" + folder.path("large")}).status, 413);
    EXPECT_THAT(origin.received(), Not(HasSubstr("script")));
    EXPECT_THAT(origin.received(), Not(HasSubstr("POST /large")));
}

TEST_F(Waf, LooksAtResponses)
{
    Origin leaky(network.servers(), "10.0.2.12:80", [](Origin::Connection& connection) {
        while (receive_message(connection).whole)
            connection.sends(
                answer(200,
                       "You have an error in your SQL syntax; check the manual that corresponds to your MySQL "
                       "server version for the right syntax to use",
                       "Content-Type: text/html\r\n"));
    });
    gateway.runs_with(inspecting("waf: {mode: block}"));
    const auto answer = network.client("10.0.1.2").asks("http://10.0.2.12/page");
    EXPECT_EQ(answer.status, 403) << answer.body;
    EXPECT_THAT(answer.body, Not(HasSubstr("MySQL")));
}

TEST_F(Waf, SeesAPathBehindAnEncodedQuestionMark)
{
    gateway.runs_with(inspecting("waf: {mode: block}"));
    EXPECT_EQ(asks("/page%3f/<script>alert(1)</script>", {"--path-as-is"}).status, 403);
    EXPECT_EQ(asks("/page%3f/%3Cscript%3Ealert(1)%3C/script%3E").status, 403);
    EXPECT_THAT(origin.received(), Not(HasSubstr("script")));
}

TEST_F(Waf, BoundsWhatOneRequestCosts)
{
    gateway.runs_with(inspecting("waf: {mode: block}"));
    std::string many = "a";
    for (int number = 0; number < 2'000; ++number) many += "&a=";
    const Folder folder;
    folder.write("nested", "x=" + std::string(30'000, '<') + std::string(30'000, '\''));
    for (const auto& data : {many, "@" + folder.path("nested")}) {
        const auto began = std::chrono::steady_clock::now();
        asks("/costly", {"--data", data});
        EXPECT_LT(std::chrono::steady_clock::now() - began, Milliseconds{3'000});
    }
    EXPECT_EQ(asks("/after").status, 200);
}

TEST_F(Waf, LosesOnlyTheRequestsOfAnInspectorThatDies)
{
    gateway.runs_with(inspecting("waf: {mode: block}"));
    EXPECT_EQ(asks("/before").status, 200);
    const auto inspectors = gateway.process_ids("gateway-inspector");
    ASSERT_FALSE(inspectors.empty());

    for (const int id : inspectors) ::kill(id, SIGKILL);

    EXPECT_TRUE(eventually([&] { return asks("/after").status == 200; }));
    EXPECT_TRUE(gateway.is_running());
    EXPECT_EQ(asks(injection).status, 403);
    EXPECT_GT(Json::parse(gateway.ctl({"status", "--json"}).out)["waf"].value("restarts", 0), 0);
}

TEST_F(Waf, LosesOnlyTheRequestUnderWayWhenEveryInspectorHangs)
{
    gateway.runs_with(inspecting("waf: {mode: block}\nworkers: 1"));
    EXPECT_EQ(asks("/before").status, 200);
    const auto inspectors = gateway.process_ids("gateway-inspector");
    ASSERT_FALSE(inspectors.empty());
    for (const int id : inspectors) ::kill(id, SIGSTOP);

    const auto began = std::chrono::steady_clock::now();
    const auto caught = asks("/caught");
    EXPECT_LT(std::chrono::steady_clock::now() - began, Milliseconds{5'000});

    EXPECT_TRUE(caught.status == 503 || caught.status == 200) << caught.status;
    EXPECT_TRUE(eventually([&] { return asks("/after").status == 200; }));
    EXPECT_EQ(asks(injection).status, 403);
    EXPECT_TRUE(gateway.is_running());
}

TEST_F(Waf, PassesWhatCannotBeInspectedWhereThatIsAskedFor)
{
    gateway.runs_with(inspecting("waf: {mode: block, on_failure: pass}\nworkers: 1"));
    EXPECT_EQ(asks("/before").status, 200);
    const auto inspectors = gateway.process_ids("gateway-inspector");
    ASSERT_FALSE(inspectors.empty());
    for (const int id : inspectors) ::kill(id, SIGSTOP);
    EXPECT_EQ(asks("/caught").status, 200);
    EXPECT_EQ(gateway.request_record("/caught").value("status", 0), 200);
}

} // namespace
} // namespace gw::lab
