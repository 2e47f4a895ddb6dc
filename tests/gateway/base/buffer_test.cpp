#include "gateway/base/buffer.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

TEST(Buffer, GivesBackWhatWasWrittenInItsOrder)
{
    Buffer buffer{1024};
    buffer.append("hello ");
    buffer.append("world");
    EXPECT_EQ(buffer.view(), "hello world");
    buffer.consume(6);
    EXPECT_EQ(buffer.view(), "world");
    buffer.append("!");
    EXPECT_EQ(buffer.view(), "world!");
}

TEST(Buffer, NeverHoldsMoreThanItsLimit)
{
    Buffer buffer{100};
    for (int i = 0; i < 20; ++i) {
        const auto into = buffer.prepare(64);
        ASSERT_LE(buffer.size() + into.size(), 100U);
        buffer.commit(into.size());
    }
    EXPECT_TRUE(buffer.full());
    EXPECT_EQ(buffer.prepare().size(), 0U);
    buffer.consume(30);
    const auto into = buffer.prepare();
    EXPECT_EQ(into.size(), 30U);
}

TEST(Buffer, KeepsViewsUntilItIsPrepared)
{
    Buffer buffer{1024};
    buffer.append("abcdef");
    const auto view = buffer.view();
    buffer.consume(3);
    EXPECT_EQ(view, "abcdef");
    EXPECT_EQ(buffer.view(), "def");
}

} // namespace
} // namespace gw
