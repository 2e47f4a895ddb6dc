#include "gateway/ctl/text.h"

#include <gtest/gtest.h>

namespace gw::ctl {
namespace {

TEST(Text, GroupsThousands)
{
    EXPECT_EQ(grouped(0), "0");
    EXPECT_EQ(grouped(999), "999");
    EXPECT_EQ(grouped(1'000), "1,000");
    EXPECT_EQ(grouped(18'446'744'073'709'551'615u), "18,446,744,073,709,551,615");
}

TEST(Text, ShortensCountsAndBytesWithoutEverSayingAThousandOfAUnit)
{
    EXPECT_EQ(short_count(9'999), "9999");
    EXPECT_EQ(short_count(10'000), "10.0k");
    EXPECT_EQ(short_count(999'499), "999k");
    EXPECT_EQ(short_count(999'500), "1.0M");
    EXPECT_EQ(short_count(1'000'000), "1.0M");
    EXPECT_EQ(bytes_text(1'023), "1023 B");
    EXPECT_EQ(bytes_text(1'024), "1.0 KiB");
    EXPECT_EQ(bytes_text(1'048'575), "1.0 MiB");
    EXPECT_EQ(bytes_text(150 * 1'024), "150 KiB");
    EXPECT_EQ(bytes_text(UINT64_MAX), "16384 PiB");
}

TEST(Text, SaysSpansInTheirTwoLargestUnits)
{
    EXPECT_EQ(span_text(59), "59s");
    EXPECT_EQ(span_text(60), "1m");
    EXPECT_EQ(span_text(3'723), "1h 2m");
    EXPECT_EQ(span_text(90'000), "1d 1h");
}

TEST(Text, SaysLimitsInTheUnitTheyWereWrittenIn)
{
    using std::chrono::milliseconds;
    EXPECT_EQ(limit_text(milliseconds(250)), "250ms");
    EXPECT_EQ(limit_text(milliseconds(5'000)), "5s");
    EXPECT_EQ(limit_text(milliseconds(90'000)), "90s");
    EXPECT_EQ(limit_text(milliseconds(3'600'000)), "1h");
    EXPECT_EQ(limit_text(milliseconds(0)), "0s");
}

TEST(Text, LeavesNoByteThatATerminalObeys)
{
    EXPECT_EQ(plain("a\x1b[2Jb\r\n\x9b"), "a\\x1b[2Jb\\x0d\\x0a\\x9b");
    EXPECT_EQ(harmless("\xc3\xa4\n\tx\x1b[31m\x07\xc2\x9b\x7f"), "\xc3\xa4\n\tx?[31m???");
    for (int byte = 0; byte < 256; ++byte)
        for (const char c : plain(std::string(1, static_cast<char>(byte)))) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << byte;
}

TEST(Text, IsPaintedOnlyWhenColourIsWanted)
{
    EXPECT_EQ(paint({}, Colour::red, "x"), "x");
    EXPECT_EQ(paint({true, 0}, Colour::red, "x"), "\x1b[31mx\x1b[0m");
    EXPECT_EQ(paint({true, 0}, Colour::none, "x"), "x");
}

} // namespace
} // namespace gw::ctl
