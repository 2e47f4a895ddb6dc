#include "netfilter/reach.h"

#include "tests/netfilter/plans.h"

#include <gtest/gtest.h>

using namespace gw;
using namespace gw::netfilter;
using namespace gw::netfilter::testing;

TEST(Reach, IsToAndPortsLessWhatIsExcepted)
{
    Intercept intercept;
    intercept.to = networks({"192.0.2.0/24", "2001:db8::/32"});
    intercept.ports = {{80, 80}, {8000, 8080}};
    intercept.except_to = networks({"192.0.2.53", "2001:db8:1::/48"});
    intercept.except_from = networks({"10.0.0.9"});
    const auto may = [&](std::string_view to) { return allows(intercept, *Endpoint::parse(to)); };

    for (const auto* to :
         {"192.0.2.1:80", "192.0.2.1:8000", "192.0.2.255:8080", "[2001:db8::1]:80", "[::ffff:192.0.2.1]:80"})
        EXPECT_TRUE(may(to)) << to;
    for (const auto* to : {"192.0.2.1:81", "192.0.2.1:7999", "192.0.2.1:8081", "192.0.3.1:80", "192.0.2.53:80",
                           "[2001:db9::1]:80", "[2001:db8:1::1]:80", "[::ffff:192.0.2.53]:80"})
        EXPECT_FALSE(may(to)) << to;
    EXPECT_TRUE(excepts(intercept, *Address::parse("10.0.0.9")));
    EXPECT_TRUE(excepts(intercept, *Address::parse("::ffff:10.0.0.9")));
    EXPECT_FALSE(excepts(intercept, *Address::parse("10.0.0.8")));
}
