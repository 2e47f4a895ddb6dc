#include "gateway/base/memory_allowance.h"

#include <atomic>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace gw {
namespace {

TEST(MemoryAllowance, GivesAllThatIsAskedForUntilItIsBounded)
{
    MemoryAllowance memory;
    EXPECT_TRUE(memory.take(SIZE_MAX / 8));
    memory.set(10);
    EXPECT_FALSE(memory.take(11));
    EXPECT_TRUE(memory.take(10)) << "what was refused was taken";
    EXPECT_FALSE(memory.take(1));
    EXPECT_TRUE(memory.take(0));
    memory.set(1);
    EXPECT_TRUE(memory.take(1));
    memory.set(0);
    EXPECT_FALSE(memory.take(1));
}

TEST(MemoryAllowance, IsNotGivenTwiceToTwoThreads)
{
    constexpr int count = 10'000;
    MemoryAllowance memory;
    memory.set(count);
    std::atomic<int> given{0};
    std::vector<std::thread> takers;
    for (int i = 0; i < 2; ++i)
        takers.emplace_back([&] {
            for (int turn = 0; turn < count; ++turn) given += memory.take(1) ? 1 : 0;
        });
    for (auto& taker : takers) taker.join();
    EXPECT_EQ(given, count);
}

} // namespace
} // namespace gw
