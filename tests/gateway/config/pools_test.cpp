#include "tests/gateway/config/support.h"

namespace gw::config::testing {

namespace {

constexpr const char* mapped = "listeners:\n"
                               "  - {name: c2s, bind: [\"0.0.0.0:15222\"], protocol: tcp, default: pool:c2s,\n"
                               "     proxy_protocol: {required: true, trusted: [10.0.0.5, \"::1\"]}}\n"
                               "  - {name: s2s, bind: [\"0.0.0.0:15269\"], default: pool:s2s,\n"
                               "     proxy_protocol: {trusted: [10.0.0.0/24]}}\n"
                               "pools:\n"
                               "  s2s: {servers: [\"10.0.0.22:5269\"], send_proxy: v2}\n"
                               "  c2s: {servers: [\"10.0.0.21:5222\", {address: \"[2001:db8::1]:5222\", weight: 3}]}\n"
                               "routes:\n"
                               "  - {host: a.example, to: pool:c2s}\n"
                               "  - {host: b.example, to: pool:s2s}\n";

std::string warnings_of(const std::string& text) { return told(settings_of(text).warnings); }

} // namespace

TEST(ConfigPools, AreFoundByTheirNames)
{
    const auto settings = settings_of(mapped);

    ASSERT_EQ(settings.pools.size(), 2u);
    const auto& c2s = settings.pools[settings.listeners[0].pool];
    EXPECT_EQ(c2s.name, "c2s");
    ASSERT_EQ(c2s.servers.size(), 2u);
    EXPECT_EQ(c2s.servers[0].address.text(), "10.0.0.21:5222");
    EXPECT_EQ(c2s.servers[0].weight, 1u);
    EXPECT_EQ(c2s.servers[1].address.text(), "[2001:db8::1]:5222");
    EXPECT_EQ(c2s.servers[1].weight, 3u);
    EXPECT_EQ(settings.pools[settings.listeners[1].pool].send_proxy, upstream::SendProxy::v2);
    EXPECT_EQ(settings.pools[settings.route_extras[0].pool].name, "c2s");
    EXPECT_EQ(settings.pools[settings.route_extras[1].pool].name, "s2s");
    EXPECT_EQ(told(settings.warnings), "");
}

TEST(ConfigPools, SayWhoMaySendAPROXYHeader)
{
    const auto settings = settings_of(mapped);

    const auto& rule = settings.listeners[0].proxy_protocol;
    ASSERT_TRUE(rule.has_value());
    EXPECT_TRUE(rule->trusted.contains(Address::parse("10.0.0.5").value()));
    EXPECT_TRUE(rule->trusted.contains(Address::parse("::1").value()));
    EXPECT_FALSE(rule->trusted.contains(Address::parse("10.0.0.6").value()));
    EXPECT_FALSE(intake::ProxyProtocol{}.trusted.contains(Address::parse("127.0.0.1").value()));
}

TEST(ConfigWarnings, TellOfAListenerWithNoServiceBehindIt)
{
    const std::string lonely =
        "listeners:\n  - {name: x, bind: [\"0.0.0.0:15280\"], proxy_protocol: {trusted: [10.0.0.5]}}\n";
    EXPECT_EQ(warnings_of(lonely), "2:56 listeners[0].proxy_protocol: no service stands behind the listener \"x\": its "
                                   "connections are dropped once their PROXY header is read; give it default: "
                                   "pool:NAME, or a route\n");
    EXPECT_TRUE(settings_of(lonely).listeners[0].serves_nobody);
    EXPECT_EQ(warnings_of(lonely + "routes: [{to: original}]\n"), "");
    EXPECT_NE(
        warnings_of(lonely + "  - {name: y, bind: [\"0.0.0.0:81\"]}\nroutes: [{to: \"http://a/\", listeners: [y]}]\n"),
        "");
    EXPECT_EQ(warnings_of("listeners: [{bind: [\"0.0.0.0:15280\"], proxy_protocol: {trusted: [10.0.0.5]}, default: "
                          "original}]"),
              "");
}

TEST(ConfigWarnings, TellOfAListenerThatTrustsNobody)
{
    EXPECT_EQ(warnings_of("listeners: [{bind: [\"0.0.0.0:15280\"], proxy_protocol: {trusted: []}, default: original}]"),
              "1:55 listeners[0].proxy_protocol.trusted: nobody is trusted to send a PROXY header, so every connection "
              "is refused\n");
}

} // namespace gw::config::testing
