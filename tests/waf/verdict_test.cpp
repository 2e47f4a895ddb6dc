// The real inspector program, the real engine, the packaged rules.

#include "tests/waf/inspection_lab.h"

#include <filesystem>
#include <fstream>

namespace gw::waf {

namespace {

using Verdicts = InspectionLab;
constexpr std::string_view sql_in_query = "/shop?q=1'%20or%20'1'='1";

TEST_F(Verdicts, PassACleanRequestWithoutAHit)
{
    start(settings_with(Mode::block));
    const auto verdict = inspect(get("/shop/item?id=42&sort=price"));
    EXPECT_EQ(verdict.action, Verdict::Action::pass) << verdict.failure;
    EXPECT_FALSE(verdict.refuse);
    EXPECT_TRUE(verdict.hits.empty());
    EXPECT_EQ(verdict.score, 0);
}

TEST_F(Verdicts, BlockSqlInTheQueryAndNameTheRuleAndTheArgument)
{
    start(settings_with(Mode::block));
    const auto verdict = inspect(get(std::string(sql_in_query)));
    EXPECT_EQ(verdict.action, Verdict::Action::block) << verdict.failure;
    EXPECT_TRUE(verdict.refuse);
    EXPECT_EQ(verdict.score, 5);
    ASSERT_TRUE(has_hit(verdict, 942100));
    EXPECT_TRUE(has_hit(verdict, 949110));
    EXPECT_EQ(verdict.hits.front().matched, "ARGS:q");
    EXPECT_EQ(verdict.hits.front().severity, 2);
}

TEST_F(Verdicts, OfDetectModeNameTheRulesAndLetPass)
{
    start(settings_with(Mode::detect));
    const auto verdict = inspect(get(std::string(sql_in_query)));
    EXPECT_EQ(verdict.action, Verdict::Action::pass);
    EXPECT_FALSE(verdict.refuse);
    EXPECT_EQ(verdict.score, 5);
    EXPECT_TRUE(has_hit(verdict, 942100));
    EXPECT_TRUE(has_hit(verdict, 949110));
}

TEST_F(Verdicts, OfDetectModeSeeWhatComesAfterTheThresholdToo)
{
    start(settings_with(Mode::detect));
    ResponseView response;
    response.status = 200;
    const std::vector<http::Field> fields{{"Content-Type", "text/html"}};
    response.fields = fields;
    response.body = "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server";
    const auto verdict = inspect_response(get(std::string(sql_in_query)), response);
    EXPECT_FALSE(verdict.refuse);
    EXPECT_TRUE(has_hit(verdict, 951230)) << verdict.hits.size();
}

TEST_F(Verdicts, BlockAResponseThatLeaksADatabaseError)
{
    start(settings_with(Mode::block));
    ResponseView response;
    response.status = 500;
    const std::vector<http::Field> fields{{"Content-Type", "text/html; charset=utf-8"}};
    response.fields = fields;
    response.body = "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server";
    const auto verdict = inspect_response(get("/shop"), response);
    EXPECT_EQ(verdict.action, Verdict::Action::block) << verdict.failure;
    EXPECT_TRUE(has_hit(verdict, 951230));
    EXPECT_TRUE(has_hit(verdict, 959100));
}

TEST_F(Verdicts, PassACleanResponse)
{
    start(settings_with(Mode::block));
    ResponseView response;
    response.status = 200;
    const std::vector<http::Field> fields{{"Content-Type", "text/html"}};
    response.fields = fields;
    response.body = "<html><body>welcome</body></html>";
    const auto verdict = inspect_response(get("/shop"), response);
    EXPECT_EQ(verdict.action, Verdict::Action::pass) << verdict.failure;
}

// CVE-2024-1019: the engine would take what follows the decoded question mark for the query, and look elsewhere.
TEST_F(Verdicts, BlockAnAttackBehindAnEncodedQuestionMarkInThePath)
{
    start(settings_with(Mode::block));
    for (const auto* target :
         {"/a%3F<script>alert(1)</script>", "/a%3f<script>alert(1)</script>", "/a%3Fx%3F<script>a</script>"}) {
        const auto verdict = inspect(get(target));
        EXPECT_EQ(verdict.action, Verdict::Action::block) << target;
    }
}

TEST_F(Verdicts, LookIntoABodyWhateverItsTypeSays)
{
    start(settings_with(Mode::block));
    const std::string attack = "q=1' or '1'='1";
    for (const auto* type : {"", " ", "text/plain", "text/x-unknown", "unknown", "application/x-www-form-urlencoded",
                             "application/octet-stream", "application/x-what"}) {
        EXPECT_EQ(inspect(post(type, attack)).action, Verdict::Action::block) << '[' << type << ']';
    }
    EXPECT_EQ(inspect(post("application/json", R"({"a":{"q":"1' or '1'='1"}})")).action, Verdict::Action::block);
    EXPECT_EQ(inspect(post("application/json", attack)).action, Verdict::Action::block)
        << "a form that says it is JSON";
    const std::string part = "--x\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n1' or '1'='1\r\n--x--\r\n";
    EXPECT_EQ(inspect(post("multipart/form-data; boundary=x", part)).action, Verdict::Action::block);
}

TEST_F(Verdicts, FollowThePolicyThatIsAskedFor)
{
    auto settings = settings_with(Mode::block);
    Policy without_rule = settings.policies[0];
    without_rule.disable_rules = {942100};
    Policy without_target = settings.policies[0];
    without_target.disable_targets = {{942100, {"ARGS:q"}}};
    Policy tolerant = settings.policies[0];
    tolerant.request_threshold = 50;
    settings.policies.insert(settings.policies.end(), {without_rule, without_target, tolerant, Policy{}});
    start(settings);
    const auto asked = get(std::string(sql_in_query));
    EXPECT_EQ(inspect(asked, 0).action, Verdict::Action::block);
    EXPECT_FALSE(has_hit(inspect(asked, 1), 942100));
    EXPECT_FALSE(has_hit(inspect(asked, 2), 942100));
    EXPECT_TRUE(has_hit(inspect(get("/shop?other=1'%20or%20'1'='1"), 2), 942100));
    EXPECT_EQ(inspect(asked, 3).action, Verdict::Action::pass) << "below its threshold";
    EXPECT_TRUE(has_hit(inspect(asked, 3), 942100));
}

TEST_F(Verdicts, RefuseABodyOverTheLimitAsTheSettingsSay)
{
    auto settings = settings_with(Mode::block);
    settings.request_max_bytes = 1'000;
    start(settings);
    EXPECT_EQ(inspect(post("text/plain", "a=" + repeated("word+", 990))).action, Verdict::Action::block) << "920420";
    EXPECT_EQ(inspect(post(form_type, "a=" + std::string(998, 'a'))).action, Verdict::Action::pass);
    const auto over = inspect(post(form_type, "a=" + std::string(999, 'a')));
    EXPECT_EQ(over.action, Verdict::Action::failed);
    EXPECT_TRUE(over.refuse);
}

class RuleFiles : public InspectionLab {
protected:
    RuleFiles() { std::filesystem::create_directories(folder_); }
    ~RuleFiles() override { std::filesystem::remove_all(folder_); }

    std::string file(const std::string& name, const std::string& text)
    {
        const auto path = folder_ / name;
        std::ofstream{path} << text;
        return path;
    }

private:
    std::filesystem::path folder_ =
        std::filesystem::temp_directory_path() / ("waf_rules_" + std::to_string(::getpid()));
};

TEST_F(RuleFiles, ReplaceThePackagedRules)
{
    auto settings = settings_with(Mode::block);
    settings.crs = false;
    settings.rule_files = {
        file("own.conf", "SecRule ARGS:colour \"@streq red\" \"id:1,phase:2,deny,status:403,msg:'no red'\"\n")};
    start(settings);
    EXPECT_EQ(inspect(get(std::string(sql_in_query))).action, Verdict::Action::pass);
    const auto verdict = inspect(get("/?colour=red"));
    EXPECT_EQ(verdict.action, Verdict::Action::block);
    ASSERT_TRUE(has_hit(verdict, 1));
    EXPECT_EQ(verdict.hits.front().message, "no red");
}

TEST_F(RuleFiles, ThatAreWrongAreNamedWithTheLine)
{
    auto settings = settings_with(Mode::block);
    settings.crs = false;
    settings.rule_files = {file("wrong.conf", "# fine\nSecRlue ARGS \"@rx x\" \"id:1,phase:2,deny\"\n")};
    const auto started = InspectorProcesses::start(settings, GW_PROGRAM_DIR "/gateway-inspector");
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().fault, Fault::malformed);
    EXPECT_NE(started.error().what.find("wrong.conf"), std::string::npos) << started.error().what;
    EXPECT_NE(started.error().what.find("Line: 2"), std::string::npos) << started.error().what;
}

TEST_F(RuleFiles, ThatAreMissingAreAnError)
{
    auto settings = settings_with(Mode::block);
    settings.crs = false;
    settings.rule_files = {"/nonexistent/rules.conf"};
    const auto started = InspectorProcesses::start(settings, GW_PROGRAM_DIR "/gateway-inspector");
    ASSERT_FALSE(started);
    EXPECT_NE(started.error().what.find("/nonexistent/rules.conf"), std::string::npos) << started.error().what;
}

TEST(InspectorProgram, ThatIsMissingIsAnError)
{
    const auto started = InspectorProcesses::start(settings_with(Mode::block), "/nonexistent/gateway-inspector");
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().fault, Fault::system);
}

} // namespace
} // namespace gw::waf
