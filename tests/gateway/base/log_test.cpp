#include "gateway/base/log.h"

#include <cstdlib>
#include <gtest/gtest.h>

namespace gw::log {
namespace {

std::string json(std::string_view text)
{
    std::string out;
    append_json(out, text);
    return out;
}

std::string plain(std::string_view text)
{
    std::string out;
    append_plain(out, text);
    return out;
}

TEST(Log, EscapesWhatWouldEndAJsonString)
{
    EXPECT_EQ(json("a\"b\\c\n\r\t\x7f"), R"(a\"b\\c\u000a\u000d\u0009\u007f)");
    EXPECT_EQ(json("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
}

TEST(Log, TellsEveryByteThatIsNoUtf8)
{
    EXPECT_EQ(json("\xff"), R"(\u00ff)");
    EXPECT_EQ(json("\xc3("), R"(\u00c3()");
    EXPECT_EQ(json("\xed\xa0\x80"), R"(\u00ed\u00a0\u0080)") << "a surrogate";
    EXPECT_EQ(json("\xc0\xaf"), R"(\u00c0\u00af)") << "overlong";
    EXPECT_EQ(json("\xe2\x80\xa8"), R"(\u00e2\u0080\u00a8)") << "a line separator";
    EXPECT_EQ(json("\xc2\x9b"), R"(\u00c2\u009b)") << "drives a terminal";
}

TEST(LogDeathTest, GivesEveryLineItsPriorityWhereTheJournalReadsIt)
{
    // In a process of its own, which has not looked for the journal yet.
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto say = [] {
        ::setenv("JOURNAL_STREAM", "8:1", 1);
        error("the configuration is wrong\nline 1\nline 2");
        std::exit(0);
    };
    EXPECT_EXIT(say(), testing::ExitedWithCode(0),
                "<3>gatewayd error: the configuration is wrong\n<3>    line 1\n<3>    line 2\n");
}

TEST(Log, ShowsPeoplePrintableAsciiOnly) { EXPECT_EQ(plain("a\x1b[2Jb\r\n\"\\\xff"), R"(a\x1b[2Jb\x0d\x0a\"\\\xff)"); }

} // namespace
} // namespace gw::log
