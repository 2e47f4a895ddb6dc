#include "gateway/upstream/balancer.h"
#include "gateway/upstream/dialer.h"

#include <gtest/gtest.h>

namespace gw::upstream {
namespace {

PoolSettings pool_of(std::vector<std::pair<std::string, std::uint32_t>> servers)
{
    PoolSettings pool;
    pool.name = "p";
    for (const auto& [address, weight] : servers) pool.servers.push_back({Endpoint::parse(address).value(), weight});
    return pool;
}

std::string turns(Balancer& balancer, const PoolSettings& pool, int count)
{
    std::string taken;
    for (int i = 0; i < count; ++i)
        taken += static_cast<char>('a' + balancer.next(pool, std::vector<bool>(pool.servers.size())).value());
    return taken;
}

TEST(Balancer, GivesEveryServerItsTurn)
{
    Balancer balancer;
    const auto pool = pool_of({{"192.0.2.1:80", 1}, {"192.0.2.2:80", 1}, {"192.0.2.3:80", 1}});
    EXPECT_EQ(turns(balancer, pool, 7), "abcabca");
}

TEST(Balancer, SpreadsTheTurnsOfAHeavyServer)
{
    Balancer balancer;
    const auto pool = pool_of({{"192.0.2.1:80", 5}, {"192.0.2.2:80", 1}, {"192.0.2.3:80", 1}});
    EXPECT_EQ(turns(balancer, pool, 14), "aabacaaaabacaa");
}

TEST(Balancer, LeavesOutThoseThatWereTried)
{
    Balancer balancer;
    const auto pool = pool_of({{"192.0.2.1:80", 1}, {"192.0.2.2:80", 1}});
    EXPECT_EQ(balancer.next(pool, {false, true}), 0u);
    EXPECT_EQ(balancer.next(pool, {true, false}), 1u);
    EXPECT_EQ(balancer.next(pool, {true, true}), std::nullopt);
}

TEST(Balancer, BeginsAnewWhenThePoolHasChanged)
{
    Balancer balancer;
    EXPECT_EQ(turns(balancer, pool_of({{"192.0.2.1:80", 1}, {"192.0.2.2:80", 1}}), 1), "a");
    EXPECT_EQ(turns(balancer, pool_of({{"192.0.2.1:80", 1}, {"192.0.2.3:80", 1}, {"192.0.2.4:80", 1}}), 4), "abca");
}

TEST(Target, OfAPoolIsServedByAnyOfItsServersForTheSameClient)
{
    const auto pool = pool_of({{"192.0.2.1:80", 1}, {"192.0.2.2:80", 1}});
    Target wanted;
    wanted.pool = &pool;
    wanted.named_by = NamedBy::configuration;
    wanted.proxy_header = "PROXY UNKNOWN\r\n";
    auto made = wanted;
    made.pool = nullptr;
    made.endpoint = Endpoint::parse("192.0.2.2:80").value();
    EXPECT_TRUE(serves(made, wanted));
    auto other = made;
    other.endpoint.port = 81;
    EXPECT_FALSE(serves(other, wanted)) << "no server of the pool";
    other = made;
    other.proxy_header = "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n";
    EXPECT_FALSE(serves(other, wanted)) << "another client's header";
    other = made;
    other.source = Address::parse("192.0.2.7").value();
    EXPECT_FALSE(serves(other, wanted)) << "another source";
}

} // namespace
} // namespace gw::upstream
