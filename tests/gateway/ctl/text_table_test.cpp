#include "gateway/ctl/text_table.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <sstream>

namespace gw::ctl {
namespace {

TextTable sample()
{
    TextTable table({{"NAME", false, 6}, {"HITS", true}, {"UPSTREAM", false, 8, 1}, {"NOTE", false, 0, 2}});
    table.add({{"a"}, {"5"}, {"http://10.0.0.1:8080/x"}, {"first"}});
    table.add({{"shop.example.org"}, {"12,345"}, {"b"}, {""}});
    return table;
}

std::size_t widest(const std::string& text)
{
    std::size_t width = 0;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) width = std::max(width, line.size());
    return width;
}

TEST(TextTable, AlignsColumnsAndLeavesNoBlankAtTheEnd)
{
    EXPECT_EQ(sample().text({}), "NAME                HITS  UPSTREAM                NOTE\n"
                                 "a                      5  http://10.0.0.1:8080/x  first\n"
                                 "shop.example.org  12,345  b\n");
}

TEST(TextTable, CutsTheWidestColumnThatMayBeCutFirst)
{
    EXPECT_EQ(sample().text({false, 50}), "NAME                HITS  UPSTREAM           NOTE\n"
                                          "a                      5  http://10.0.0....  first\n"
                                          "shop.example.org  12,345  b\n");
}

TEST(TextTable, LeavesColumnsOutWhenCuttingIsNotEnough)
{
    EXPECT_EQ(sample().text({false, 25}), "NAME       HITS  UPSTREAM\n"
                                          "a             5  http:...\n"
                                          "shop...  12,345  b\n");
    EXPECT_EQ(sample().text({false, 16}), "NAME        HITS\n"
                                          "a              5\n"
                                          "shop....  12,345\n");
}

TEST(TextTable, NeverExceedsTheWidthWhileSomethingMayGive)
{
    for (std::size_t width = 14; width < 80; ++width) EXPECT_LE(widest(sample().text({false, width})), width);
}

TEST(TextTable, CountsNoColourAsWidth)
{
    TextTable table({{"STATE"}, {"N", true}});
    table.add({{"ok", Colour::green}, {"1"}});
    EXPECT_EQ(table.text({true, 0}), "\x1b[1mSTATE\x1b[0m  \x1b[1mN\x1b[0m\n\x1b[32mok\x1b[0m     1\n");
}

TEST(TextTable, ShowsItsTitlesWhenThereIsNoRow) { EXPECT_EQ(TextTable({{"A"}, {"B"}}).text({}), "A  B\n"); }

TEST(TextTable, FillsUpARowThatIsTooShort)
{
    TextTable table({{"A"}, {"B"}});
    table.add({{"x"}});
    EXPECT_EQ(table.text({}), "A  B\nx\n");
}

} // namespace
} // namespace gw::ctl
