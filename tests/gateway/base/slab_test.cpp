#include "gateway/base/slab.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <set>
#include <vector>

namespace gw {
namespace {

constexpr std::size_t size = 1000;

TEST(Slab, GivesEachItsOwnAlignedMemory)
{
    Slab slab{size};
    std::vector<char*> all;
    for (int i = 0; i < 1000; ++i) {
        all.push_back(static_cast<char*>(slab.take()));
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(all.back()) % alignof(std::max_align_t), 0U);
        std::memset(all.back(), i % 251, size);
    }
    EXPECT_EQ(std::set<char*>(all.begin(), all.end()).size(), all.size());
    for (int i = 0; i < 1000; ++i) {
        EXPECT_TRUE(std::all_of(all[i], all[i] + size, [&](char c) { return c == static_cast<char>(i % 251); })) << i;
        slab.give_back(all[i]);
    }
}

TEST(Slab, GivesWhatIsEmptyBackToTheSystem)
{
    Slab slab{size};
    std::vector<void*> all;
    for (int i = 0; i < 10'000; ++i) all.push_back(slab.take());
    EXPECT_GE(slab.held_bytes(), 10'000 * size);
    EXPECT_LE(slab.held_bytes(), 10'400 * size);
    for (auto* thing : all) slab.give_back(thing);
    EXPECT_LE(slab.held_bytes(), std::size_t{64 * 1024}) << "but for one block";
}

TEST(Slab, UsesAgainWhatWasGivenBack)
{
    Slab slab{size};
    std::vector<void*> all;
    for (int i = 0; i < 10'000; ++i) all.push_back(slab.take());
    const auto held = slab.held_bytes();
    std::mt19937 random{7};
    for (int round = 0; round < 20; ++round) {
        std::shuffle(all.begin(), all.end(), random);
        for (std::size_t i = 0; i < all.size() / 2; ++i) slab.give_back(all[i]);
        for (std::size_t i = 0; i < all.size() / 2; ++i) all[i] = slab.take();
    }
    EXPECT_LE(slab.held_bytes(), held);
    for (auto* thing : all) slab.give_back(thing);
}

TEST(Slab, HoldsTheSmallestAndTheLargest)
{
    for (const std::size_t bytes : {1U, 16U, 17U, 8192U}) {
        Slab slab{bytes};
        std::vector<void*> all;
        for (int i = 0; i < 5000; ++i) std::memset(all.emplace_back(slab.take()), 1, bytes);
        for (auto* thing : all) slab.give_back(thing);
    }
}

} // namespace
} // namespace gw
