#include "gateway/session/gate.h"

#include "gateway/session/refusals.h"

#include <atomic>
#include <gtest/gtest.h>
#include <list>
#include <thread>

namespace gw::session {
namespace {

using namespace std::chrono_literals;

Address address(const char* text) { return *Address::parse(text); }

class GateTest : public ::testing::Test {
protected:
    /// Lets a client in and keeps it there; why not, else.
    std::optional<TurnedAway> comes(const char* client, const char* listener = "web", Caps caps = {})
    {
        auto entered = gate.enter(gate.listener(listener), caps, address(client));
        if (const auto* reason = std::get_if<TurnedAway>(&entered)) return *reason;
        inside.push_back(std::move(std::get<Gate::Pass>(entered)));
        return std::nullopt;
    }

    Gate gate{100};
    std::list<Gate::Pass> inside;
};

TEST_F(GateTest, LetsNoMoreInThanTheLimitForAll)
{
    gate.set_limits({2, 0});
    EXPECT_FALSE(comes("192.0.2.1"));
    EXPECT_FALSE(comes("192.0.2.1"));
    EXPECT_EQ(comes("192.0.2.2"), TurnedAway::connections);
    EXPECT_EQ(gate.inside(), 2U) << "who is turned away does not count";
    inside.pop_front();
    EXPECT_FALSE(comes("192.0.2.2"));
}

TEST_F(GateTest, CountsAClientOverAllListeners)
{
    gate.set_limits({100, 2});
    EXPECT_FALSE(comes("192.0.2.1", "web"));
    EXPECT_FALSE(comes("192.0.2.1", "mail"));
    EXPECT_EQ(comes("192.0.2.1", "web"), TurnedAway::per_client);
    EXPECT_FALSE(comes("192.0.2.2", "web")) << "another client";
    inside.pop_front();
    EXPECT_FALSE(comes("192.0.2.1", "mail"));
}

TEST_F(GateTest, CountsFlowsOfUdpBesideConnections)
{
    gate.set_limits({1, 2});
    std::list<Gate::Pass> flows;
    const auto begins = [&](const char* client, Caps caps = {}) -> std::optional<TurnedAway> {
        auto entered = gate.enter_flow(gate.listener("dns"), caps, address(client));
        if (const auto* reason = std::get_if<TurnedAway>(&entered)) return *reason;
        flows.push_back(std::move(std::get<Gate::Pass>(entered)));
        return std::nullopt;
    };
    EXPECT_FALSE(comes("192.0.2.1"));
    EXPECT_FALSE(begins("192.0.2.1"));
    EXPECT_FALSE(begins("192.0.2.1")) << "limits.connections is not for them";
    EXPECT_EQ(begins("192.0.2.1"), TurnedAway::per_client);
    EXPECT_EQ(begins("192.0.2.2", {2, 0}), TurnedAway::listener_connections);
    EXPECT_FALSE(begins("192.0.2.2", {3, 1}));
    EXPECT_EQ(begins("192.0.2.2", {9, 1}), TurnedAway::listener_per_client);
    EXPECT_EQ(gate.inside(), 1U) << "a drain waits for the connection alone";
    EXPECT_EQ(comes("192.0.2.3"), TurnedAway::connections);
    flows.clear();
    EXPECT_EQ(gate.listener("dns").inside, 0U);
    EXPECT_FALSE(begins("192.0.2.1"));
    gate.set_shedding(true);
    EXPECT_EQ(begins("192.0.2.9"), TurnedAway::memory);
    flows.clear();
    inside.clear();
    EXPECT_EQ(gate.clients(), 0U);
    EXPECT_EQ(gate.inside(), 0U);
}

TEST_F(GateTest, CountsAClientWhoIsNamedLaterFromThenOn)
{
    gate.set_limits({2, 1});
    auto& listener = gate.listener("balanced");
    auto first = gate.enter_unnamed(listener, {});
    auto second = gate.enter_unnamed(listener, {});
    auto third = gate.enter_unnamed(listener, {});
    EXPECT_EQ(std::get<TurnedAway>(third), TurnedAway::connections);
    EXPECT_EQ(gate.clients(), 0U);
    {
        auto one = std::get<Gate::Pass>(std::move(first));
        auto same = std::get<Gate::Pass>(std::move(second));
        EXPECT_FALSE(gate.name(one, {}, address("192.0.2.1")));
        EXPECT_EQ(gate.name(same, {}, address("192.0.2.1")), TurnedAway::per_client);
        EXPECT_EQ(gate.clients(), 1U);
    }
    EXPECT_EQ(gate.clients(), 0U);
    EXPECT_EQ(gate.inside(), 0U);
}

TEST_F(GateTest, TakesANetworkOf64BitsForOneClient)
{
    gate.set_limits({100, 1});
    EXPECT_FALSE(comes("2001:db8:1:2::1"));
    EXPECT_EQ(comes("2001:db8:1:2:ffff::9"), TurnedAway::per_client);
    EXPECT_FALSE(comes("2001:db8:1:3::1"));
}

TEST_F(GateTest, CountsAtEachListenerForItself)
{
    const Caps two{2, 0}, one_each{0, 1};
    EXPECT_FALSE(comes("192.0.2.1", "web", two));
    EXPECT_FALSE(comes("192.0.2.2", "web", two));
    EXPECT_EQ(comes("192.0.2.3", "web", two), TurnedAway::listener_connections);
    EXPECT_FALSE(comes("192.0.2.1", "mail", one_each)) << "web's do not count here";
    EXPECT_EQ(comes("192.0.2.1", "mail", one_each), TurnedAway::listener_per_client);
    EXPECT_FALSE(comes("192.0.2.2", "mail", one_each));
    EXPECT_EQ(gate.listener("web").inside, 2U);
    EXPECT_EQ(gate.listener("mail").inside, 2U);
}

TEST_F(GateTest, LetsNobodyInWhileMemoryIsShort)
{
    gate.set_shedding(true);
    EXPECT_EQ(comes("192.0.2.1"), TurnedAway::memory);
    gate.set_shedding(false);
    EXPECT_FALSE(comes("192.0.2.1"));
}

TEST_F(GateTest, KeepsNothingOfClientsThatHaveGone)
{
    gate.set_limits({10, 1});
    for (int i = 0; i < 100'000; ++i) {
        const auto client = Address::v4(
            {10, static_cast<std::uint8_t>(i >> 16), static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)});
        const auto entered = gate.enter(gate.listener("web"), {0, 1}, client);
        ASSERT_TRUE(std::holds_alternative<Gate::Pass>(entered));
        ASSERT_LE(gate.clients(), 2U) << "one everywhere, one at the listener";
    }
    EXPECT_EQ(gate.clients(), 0U);
    EXPECT_EQ(gate.inside(), 0U);
}

TEST_F(GateTest, IsNeverOverALimitWhenManyThreadsComeAtOnce)
{
    gate.set_limits({1'000, 7});
    auto& web = gate.listener("web");
    std::atomic<int> now{0}, most{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            std::list<Gate::Pass> mine;
            for (int round = 0; round < 20'000; ++round) {
                auto entered = gate.enter(web, {0, 0}, address("192.0.2.1"));
                if (auto* pass = std::get_if<Gate::Pass>(&entered)) {
                    const int count = ++now;
                    for (int seen = most; count > seen && !most.compare_exchange_weak(seen, count);) {
                    }
                    mine.push_back(std::move(*pass));
                }
                if (round % 3 == 0 && !mine.empty()) {
                    --now;
                    mine.pop_front();
                }
            }
            now -= static_cast<int>(mine.size());
        });
    for (auto& thread : threads) thread.join();
    EXPECT_LE(most, 7);
    EXPECT_EQ(gate.clients(), 0U);
    EXPECT_EQ(web.inside, 0U);
}

TEST(Refusals, SayTheFirstAtOnceAndThenOneLineASecond)
{
    std::vector<std::string> said;
    Refusals refusals{[&](const std::string& line) { said.push_back(line); }};
    const auto client = *Endpoint::parse("192.0.2.1:4000");
    auto now = Refusals::Clock::now();
    for (int i = 0; i < 1'000'000; ++i)
        refusals.note(TurnedAway::per_client, "web", client, now + std::chrono::microseconds{i / 2});
    ASSERT_EQ(said.size(), 1U);
    EXPECT_EQ(said[0], "turned away 192.0.2.1:4000 on listener web: limits.per_client is reached");
    refusals.flush(now + 900ms);
    EXPECT_EQ(said.size(), 1U) << "not a second has passed";
    refusals.flush(now + 1s);
    ASSERT_EQ(said.size(), 2U);
    EXPECT_TRUE(said[1].ends_with("; 999998 more suppressed")) << said[1];
    refusals.flush(now + 5s);
    EXPECT_EQ(said.size(), 2U) << "nothing came since";
}

} // namespace
} // namespace gw::session
