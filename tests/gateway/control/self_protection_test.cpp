#include "gateway/control/self_protection.h"

#include <gtest/gtest.h>

namespace gw::control {
namespace {

TEST(OpenFiles, LeaveAReserveBesideTwoForEachConnection)
{
    for (const std::size_t files : {64U, 256U, 1'024U, 65'536U, 1'048'576U}) {
        const auto connections = connections_for(files, 4);
        EXPECT_LE(2 * connections + 4 + 32, std::max<std::size_t>(files, 40)) << files;
        EXPECT_GE(connections, 1U);
    }
    EXPECT_GE(connections_for(256, 4), 90U);
    EXPECT_GE(connections_for(1'048'576, 4), 500'000U);
    EXPECT_EQ(connections_for(8, 100), 1U) << "even then one is served";
}

TEST(Shortage, BeginsAndEndsAtDifferentFillings)
{
    const auto at = [](Shortage before, std::uint64_t per_cent) { return shortage_at(before, per_cent * 10, 1'000); };
    EXPECT_EQ(at(Shortage::none, 91), Shortage::none);
    EXPECT_EQ(at(Shortage::none, 92), Shortage::shed);
    EXPECT_EQ(at(Shortage::none, 95), Shortage::reset);
    EXPECT_EQ(at(Shortage::shed, 91), Shortage::shed);
    EXPECT_EQ(at(Shortage::shed, 89), Shortage::none);
    EXPECT_EQ(at(Shortage::reset, 94), Shortage::reset);
    EXPECT_EQ(at(Shortage::reset, 92), Shortage::shed);
    EXPECT_EQ(at(Shortage::reset, 89), Shortage::none);
    EXPECT_EQ(shortage_at(Shortage::reset, 1'000'000, 0), Shortage::none) << "no budget";
}

TEST(Budget, IsThreeQuartersOfTheControlGroupsLimit)
{
    EXPECT_EQ(budget_of_group("1073741824"), 805'306'368U);
    EXPECT_EQ(budget_of_group("max"), 0U);
    EXPECT_EQ(budget_of_group(""), 0U);
    EXPECT_EQ(budget_of_group("12 apples"), 0U);
}

} // namespace
} // namespace gw::control
