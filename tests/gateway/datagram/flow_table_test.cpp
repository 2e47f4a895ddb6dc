#include "gateway/datagram/flow_table.h"

#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <random>

namespace gw::datagram {
namespace {

using namespace std::chrono_literals;

FlowKey key(std::uint16_t client_port, std::string_view to = "192.0.2.1:443")
{
    return {{Address::v4({10, 0, 0, 1}), client_port}, *Endpoint::parse(to)};
}

const Clock::time_point start{};

TEST(FlowTable, FindsAFlowByBothEnds)
{
    FlowTable table;
    auto& flow = table.add(key(1), start);

    EXPECT_EQ(table.find(key(1)), &flow);
    EXPECT_EQ(table.find(key(2)), nullptr);
    EXPECT_EQ(table.find(key(1, "192.0.2.1:444")), nullptr);
    EXPECT_EQ(table.find(key(1, "[2001:db8::1]:443")), nullptr);
}

TEST(FlowTable, KeepsARemovedFlowUntilItIsBuried)
{
    FlowTable table;
    auto& flow = table.add(key(1), start);
    table.remove(flow);

    EXPECT_EQ(table.find(key(1)), nullptr);
    EXPECT_EQ(table.size(), 0U);
    EXPECT_TRUE(flow.ended);
    EXPECT_EQ(flow.key, key(1)) << "it is still readable";
    auto& again = table.add(key(1), start);
    EXPECT_NE(&again, &flow);
    table.bury();
    EXPECT_EQ(table.find(key(1)), &again);
}

TEST(FlowTable, LetsTheQuietestUnansweredFlowGoFirst)
{
    FlowTable table;
    for (std::uint16_t port = 1; port <= 4; ++port) table.add(key(port), start + port * 1s);
    for (const auto port : std::array<std::uint16_t, 2>{1, 2}) {
        auto& flow = *table.find(key(port));
        flow.answered = true;
        table.touch(flow, start + 10s);
    }
    table.touch(*table.find(key(3)), start + 11s);
    EXPECT_EQ(table.waiting(), 2U);

    for (const auto expected : std::array<std::uint16_t, 4>{4, 3, 1, 2}) {
        ASSERT_NE(table.first_to_evict(), nullptr);
        EXPECT_EQ(table.first_to_evict()->key.client.port, expected);
        table.remove(*table.first_to_evict());
    }
    EXPECT_EQ(table.first_to_evict(), nullptr);
}

TEST(FlowTable, EndsEachKindOfFlowAfterItsOwnTime)
{
    Settings settings;
    settings.unanswered_limit = 30s;
    settings.idle_limit = 120s;
    settings.dns_idle_limit = 5s;
    FlowTable table;
    const auto answered = [&](const FlowKey& each) {
        auto& flow = table.add(each, start);
        flow.answered = true;
        table.touch(flow, start);
    };
    answered(key(1));
    answered(key(2, "192.0.2.1:53"));
    table.add(key(3), start);
    table.add(key(4, "192.0.2.1:53"), start);

    const auto expired_at = [&](Clock::duration time) {
        std::vector<std::uint16_t> ports;
        while (auto* flow = table.first_expired(settings, start + time)) {
            ports.push_back(flow->key.client.port);
            table.remove(*flow);
        }
        return ports;
    };
    EXPECT_EQ(expired_at(4'999ms), std::vector<std::uint16_t>{});
    EXPECT_EQ(expired_at(5s), std::vector<std::uint16_t>{2});
    EXPECT_EQ(expired_at(29s), std::vector<std::uint16_t>{});
    EXPECT_EQ(expired_at(30s), (std::vector<std::uint16_t>{3, 4}));
    EXPECT_EQ(expired_at(119s), std::vector<std::uint16_t>{});
    EXPECT_EQ(expired_at(120s), std::vector<std::uint16_t>{1});
    EXPECT_EQ(table.size(), 0U);
}

TEST(FlowTable, AgreesWithASimpleListWhateverIsDoneToIt)
{
    struct Plain {
        std::uint16_t port;
        bool answered;
        int order;
    };
    std::mt19937 random{7};
    FlowTable table;
    std::vector<Plain> plain;
    const auto place = [&](std::uint16_t port) {
        return std::find_if(plain.begin(), plain.end(), [&](const Plain& each) { return each.port == port; });
    };
    for (int step = 0; step < 20'000; ++step) {
        const auto port = static_cast<std::uint16_t>(random() % 50 + 1);
        const auto now = start + step * 1ms;
        auto* flow = table.find(key(port));
        auto known = place(port);
        ASSERT_EQ(flow == nullptr, known == plain.end());
        if (flow == nullptr) {
            table.add(key(port), now);
            plain.push_back({port, false, step});
        } else if (random() % 4 == 0) {
            table.remove(*flow);
            plain.erase(known);
        } else {
            known->answered = flow->answered = flow->answered || random() % 3 == 0;
            known->order = step;
            table.touch(*flow, now);
        }
        const auto first = std::min_element(plain.begin(), plain.end(), [](const Plain& a, const Plain& b) {
            return std::pair{a.answered, a.order} < std::pair{b.answered, b.order};
        });
        ASSERT_EQ(table.first_to_evict() == nullptr, plain.empty());
        if (!plain.empty()) {
            ASSERT_EQ(table.first_to_evict()->key.client.port, first->port);
        }
        ASSERT_EQ(table.size(), plain.size());
        if (step % 100 == 0) table.bury();
    }
}

TEST(FlowHash, DiffersFromTableToTable)
{
    EXPECT_NE(FlowHash{}(key(1)), FlowHash{}(key(1)));
    const FlowHash one;
    EXPECT_EQ(one(key(1)), one(key(1)));
    std::vector<std::size_t> low_bits;
    for (std::uint16_t port = 0; port < 4'096; ++port) low_bits.push_back(one(key(port)) % 1'024);
    std::sort(low_bits.begin(), low_bits.end());
    const auto different = std::unique(low_bits.begin(), low_bits.end()) - low_bits.begin();
    EXPECT_GT(different, 900) << "neighbouring ports meet";
}

} // namespace
} // namespace gw::datagram
