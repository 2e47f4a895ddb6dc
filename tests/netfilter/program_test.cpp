#include "netfilter/program.h"

#include <gtest/gtest.h>

using namespace gw;
using namespace gw::netfilter;
using namespace std::chrono_literals;

namespace {

Ran ran(const std::string& script, std::string_view input = "", const std::vector<std::string>& environment = {})
{
    auto result = run_program({program_file("sh"), "-c", script}, input, 20s, environment);
    EXPECT_TRUE(result) << describe(result.error());
    return result ? *result : Ran{};
}

} // namespace

TEST(Program, IsGivenItsInputAndHeardOut)
{
    EXPECT_EQ(ran("cat; echo said >&2; exit 3", "given").out, "given");
    EXPECT_EQ(ran("cat; echo said >&2; exit 3", "given").err, "said\n");
    EXPECT_EQ(ran("cat; echo said >&2; exit 3", "given").status, 3);
    EXPECT_EQ(ran("kill -9 $$").status, 137);
    EXPECT_EQ(ran("echo $GATEWAY_TEST", "", {"GATEWAY_TEST=here"}).out, "here\n");
}

TEST(Program, TakesMoreThanAStreamHolds)
{
    const std::string much(3'000'000, 'x');
    EXPECT_EQ(ran("cat", much).out, much);
    EXPECT_EQ(ran("cat >&2", much).err, much);
    EXPECT_EQ(ran("exit 0", much).status, 0) << "it need not read it";
    EXPECT_EQ(ran("exec <&-; echo done", much).out, "done\n");
}

TEST(Program, IsEndedWhenItTakesTooLong)
{
    for (const char* script : {"exec sleep 60", "exec >&- 2>&-; exec sleep 60"}) {
        const auto late = run_program({program_file("sh"), "-c", script}, "", 50ms);
        ASSERT_FALSE(late);
        EXPECT_EQ(late.error().fault, Fault::timed_out);
    }
}

TEST(Program, IsLookedForWhereSuchProgramsAre)
{
    EXPECT_TRUE(program_file("sh").ends_with("/sh"));
    EXPECT_EQ(program_file("no-such-program-at-all"), "");
    const auto none = run_program({"/nowhere/at/all"}, "", 1s);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().fault, Fault::system);
}
