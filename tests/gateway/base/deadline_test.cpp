#include "gateway/base/deadline.h"

#include <boost/asio/io_context.hpp>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <vector>

namespace gw {
namespace {

using namespace std::chrono_literals;

class DeadlineTest : public ::testing::Test {
protected:
    struct Expiry {
        explicit Expiry(DeadlineWheel& wheel)
            : deadline(
                  wheel, [](void* self) noexcept { static_cast<Expiry*>(self)->fired(); }, this)
        {}
        void fired()
        {
            ++count;
            at = Deadline::Clock::now();
        }
        int count = 0;
        Deadline::Clock::time_point at{};
        Deadline deadline;
    };
    void run_until(const std::function<bool()>& done)
    {
        const auto limit = Deadline::Clock::now() + 10s;
        while (!done() && Deadline::Clock::now() < limit) io.run_one_for(100ms);
    }
    boost::asio::io_context io{1};
    DeadlineWheel wheel{io.get_executor()};
};

TEST_F(DeadlineTest, FiresOnceAndNeverEarly)
{
    Expiry one{wheel};
    const auto due = Deadline::Clock::now() + 120ms;
    one.deadline.expire_at(due);
    run_until([&] { return one.count > 0; });
    EXPECT_EQ(one.count, 1);
    EXPECT_GE(one.at, due);
    io.run_for(200ms);
    EXPECT_EQ(one.count, 1);
}

TEST_F(DeadlineTest, CanBeMovedBothWaysAndTakenAway)
{
    Expiry later{wheel};
    Expiry earlier{wheel};
    Expiry never{wheel};
    later.deadline.expire_after(50ms);
    earlier.deadline.expire_after(10min);
    never.deadline.expire_after(50ms);
    const auto due = Deadline::Clock::now() + 300ms;
    later.deadline.expire_at(due);
    earlier.deadline.expire_after(50ms);
    never.deadline.disarm();
    run_until([&] { return later.count > 0; });
    EXPECT_EQ(earlier.count, 1);
    EXPECT_LT(earlier.at, later.at);
    EXPECT_GE(later.at, due);
    EXPECT_EQ(never.count, 0);
}

TEST_F(DeadlineTest, LetsTheOneThatIsCalledDestroyOthers)
{
    struct Chain {
        std::vector<std::unique_ptr<Deadline>> deadlines;
        int fired = 0;
    } chain;
    for (int i = 0; i < 100; ++i) {
        auto deadline = std::make_unique<Deadline>(
            wheel,
            [](void* owner) noexcept {
                auto& self = *static_cast<Chain*>(owner);
                ++self.fired;
                self.deadlines.clear();
            },
            &chain);
        deadline->expire_after(60ms);
        chain.deadlines.push_back(std::move(deadline));
    }
    run_until([&] { return chain.fired > 0; });
    EXPECT_EQ(chain.fired, 1);
}

TEST_F(DeadlineTest, LooksFurtherThanOneTurnOfTheWheel)
{
    Expiry far{wheel};
    far.deadline.expire_after(24h);
    io.run_for(150ms);
    EXPECT_EQ(far.count, 0);
    far.deadline.expire_after(50ms);
    run_until([&] { return far.count > 0; });
    EXPECT_EQ(far.count, 1);
}

} // namespace
} // namespace gw
