#include "waf/inspector.h"
#include "waf/seclang.h"

#include <gtest/gtest.h>

namespace gw::waf {

namespace {

bool comes_before(const std::string& text, std::string_view first, std::string_view second)
{
    const auto a = text.find(first);
    const auto b = text.find(second);
    return a != std::string::npos && b != std::string::npos && a < b;
}

TEST(Seclang, SetsTheLevelBeforeTheRulesAndTakesOutAfterThem)
{
    Settings settings;
    Policy policy;
    policy.mode = Mode::block;
    policy.paranoia = 3;
    policy.request_threshold = 7;
    policy.disable_rules = {942100};
    policy.disable_targets = {{941100, {"ARGS:html", "ARGS:text"}}};
    const auto text = seclang_of(settings, policy, {});
    EXPECT_TRUE(comes_before(text, crs_setup_file, "setvar:tx.paranoia_level=3"));
    EXPECT_TRUE(comes_before(text, "setvar:tx.inbound_anomaly_score_threshold=7", crs_rules_glob));
    EXPECT_TRUE(comes_before(text, crs_rules_glob, "SecRuleRemoveById 942100\n"));
    EXPECT_TRUE(comes_before(text, crs_rules_glob, "SecRuleUpdateTargetById 941100 \"!ARGS:html\"\n"));
    EXPECT_NE(text.find("SecRuleUpdateTargetById 941100 \"!ARGS:text\"\n"), std::string::npos);
    EXPECT_EQ(text.find(crs_before_file), std::string::npos) << "that file is not there";
}

TEST(Seclang, EndsWithWhatNoRuleFileMayChange)
{
    Settings settings;
    settings.crs = false;
    settings.rule_files = {"/etc/gateway/own.conf"};
    Policy policy;
    policy.mode = Mode::detect;
    const auto text = seclang_of(settings, policy, {});
    const auto rules = text.find("Include /etc/gateway/own.conf\n");
    ASSERT_NE(rules, std::string::npos);
    const auto last = text.substr(rules);
    for (const auto* line :
         {"SecRuleEngine DetectionOnly\n", "SecUploadKeepFiles Off\n", "SecTmpSaveUploadedFiles Off\n",
          "SecAuditEngine Off\n", "SecXmlExternalEntity Off\n", "SecDebugLogLevel 0\n"})
        EXPECT_NE(last.find(line), std::string::npos) << line;
    EXPECT_EQ(text.find("modsecurity-crs"), std::string::npos);
}

TEST(ResponseTypes, AreInspectedWhenRulesReadThem)
{
    EXPECT_TRUE(inspects_response_type("text/html; charset=utf-8"));
    EXPECT_TRUE(inspects_response_type("TEXT/PLAIN"));
    EXPECT_TRUE(inspects_response_type("application/json"));
    EXPECT_FALSE(inspects_response_type("image/png"));
    EXPECT_FALSE(inspects_response_type("text/htmlx"));
    EXPECT_FALSE(inspects_response_type(""));
}

} // namespace
} // namespace gw::waf
