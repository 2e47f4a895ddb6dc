#include "gateway/upstream/guard.h"

#include <gtest/gtest.h>

namespace gw::upstream {
namespace {

Endpoint at(std::string_view text) { return *Endpoint::parse(text); }

TEST(Guard, LetsNoClientReachTheGatewayItself)
{
    const Guard guard{nullptr, {}};
    for (const auto* own : {"127.0.0.1:80", "127.8.9.1:80", "[::1]:80", "0.0.0.0:80", "[::]:80",
                            "[::ffff:127.0.0.1]:80", "224.0.0.1:80", "[ff02::1]:80"}) {
        const auto checked = guard.check(at(own), NamedBy::client);
        ASSERT_FALSE(checked) << own;
        EXPECT_EQ(checked.error().fault, Fault::denied) << own;
        EXPECT_EQ(checked.error().side, Side::client) << own;
    }
    EXPECT_TRUE(guard.check(at("192.0.2.1:80"), NamedBy::client));
    EXPECT_TRUE(guard.check(at("[2001:db8::1]:80"), NamedBy::client));
}

TEST(Guard, LetsTheConfigurationReachThisHostButNotOurOwnSockets)
{
    const Guard guard{nullptr, {at("0.0.0.0:80"), at("127.0.0.1:9901"), at("[::]:8443")}};
    EXPECT_TRUE(guard.check(at("127.0.0.1:8080"), NamedBy::configuration));
    EXPECT_TRUE(guard.check(at("[::1]:8080"), NamedBy::configuration));
    for (const auto* own : {"127.0.0.1:80", "127.0.0.1:9901", "[::1]:8443", "[::1]:80", "0.0.0.0:9901"}) {
        const auto checked = guard.check(at(own), NamedBy::configuration);
        ASSERT_FALSE(checked) << own;
        EXPECT_EQ(checked.error().side, Side::gateway) << own;
    }
    EXPECT_TRUE(guard.check(at("192.0.2.1:80"), NamedBy::configuration)) << "another host's port 80 is not ours";
}

TEST(Guard, RefusesADestinationWithoutAPort)
{
    const Guard guard{nullptr, {}};
    EXPECT_FALSE(guard.check(at("192.0.2.1:0"), NamedBy::client));
    EXPECT_FALSE(guard.check(at("192.0.2.1:0"), NamedBy::configuration));
}

} // namespace
} // namespace gw::upstream
