#include "gateway/ctl/text_diff.h"

#include <gtest/gtest.h>
#include <random>
#include <sstream>
#include <vector>

namespace gw::ctl {
namespace {

TEST(UnifiedDiff, SaysNothingOfEqualTexts)
{
    EXPECT_EQ(unified_diff("", ""), "");
    EXPECT_EQ(unified_diff("a\nb\n", "a\nb\n"), "");
}

TEST(UnifiedDiff, ShowsWhatChangedWithThreeLinesAround)
{
    EXPECT_EQ(unified_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n"),
              "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

TEST(UnifiedDiff, ShowsTextsThatComeOrGoAsAWhole)
{
    EXPECT_EQ(unified_diff("", "a\nb\n"), "@@ -0,0 +1,2 @@\n+a\n+b\n");
    EXPECT_EQ(unified_diff("a\n", ""), "@@ -1 +0,0 @@\n-a\n");
}

TEST(UnifiedDiff, TellsALastLineWithoutItsBreak)
{
    EXPECT_EQ(unified_diff("a\nb\n", "a\nb"), "@@ -1,2 +1,2 @@\n a\n-b\n+b\n\\ No newline at end of file\n");
}

TEST(UnifiedDiff, PutsDistantChangesIntoHunksOfTheirOwn)
{
    std::string before, after;
    for (int i = 1; i <= 30; ++i) {
        before += std::to_string(i) + '\n';
        after += (i == 2 || i == 28 ? "new" : std::to_string(i)) + '\n';
    }
    const auto diff = unified_diff(before, after);
    EXPECT_EQ(diff,
              "@@ -1,5 +1,5 @@\n 1\n-2\n+new\n 3\n 4\n 5\n@@ -25,6 +25,6 @@\n 25\n 26\n 27\n-28\n+new\n 29\n 30\n");
}

/// Carries out what a diff says; "broken" when it does not fit.
std::string patched(const std::string& before, const std::string& diff)
{
    std::vector<std::string> lines;
    std::istringstream old(before);
    for (std::string line; std::getline(old, line);) lines.push_back(line);
    std::string result;
    std::size_t at = 0;
    std::istringstream steps(diff);
    for (std::string line; std::getline(steps, line);) {
        if (line.starts_with("@@")) {
            const auto first = std::stoul(line.substr(4));
            const bool none = line.substr(0, line.find(" +")).ends_with(",0");
            while (at + (none ? 0 : 1) < first) result += lines.at(at++) + '\n';
        } else if (line[0] == '+') {
            result += line.substr(1) + '\n';
        } else {
            if (at >= lines.size() || lines[at] != line.substr(1)) return "broken";
            if (line[0] == ' ') result += lines[at] + '\n';
            ++at;
        }
    }
    while (at < lines.size()) result += lines[at++] + '\n';
    return result;
}

TEST(UnifiedDiff, LeadsFromTheOneToTheOtherWhateverTheyAre)
{
    std::mt19937 random{7};
    for (int turn = 0; turn < 500; ++turn) {
        std::string before, after;
        for (auto* text : {&before, &after})
            for (auto count = random() % 40; count > 0; --count) *text += std::to_string(random() % 6) + '\n';
        ASSERT_EQ(patched(before, unified_diff(before, after, random() % 4)), after) << before << "---\n" << after;
    }
}

TEST(UnifiedDiff, EndsSoonWhenEverythingDiffers)
{
    std::string before, after;
    for (int i = 0; i < 100'000; ++i) before += "a" + std::to_string(i) + '\n', after += "b" + std::to_string(i) + '\n';
    EXPECT_EQ(patched(before, unified_diff(before, after)), after);
}

} // namespace
} // namespace gw::ctl
