#include "gateway/keeper/handover.h"

#include <gtest/gtest.h>

namespace gw::keeper {

namespace {

Handover sample()
{
    Handover handover;
    handover.config_file = "/etc/gateway/gateway.yaml";
    handover.sources = {{"gateway.yaml", "listeners: []\n"}, {"more.yaml", "routes: []\n"}};
    handover.generation = 7;
    handover.workers = 2;
    handover.level = log::Level::debug;
    handover.sockets = {{{"web", *Endpoint::parse("127.0.0.1:4711"), 1}, *Endpoint::parse("127.0.0.1:0"), true},
                        {{"public", *Endpoint::parse("[::]:80"), 0}, *Endpoint::parse("[::]:80"), false},
                        {{"dns", *Endpoint::parse("127.0.0.1:53"), 0}, *Endpoint::parse("127.0.0.1:0"), true, true},
                        {{"nat", *Endpoint::parse("0.0.0.0:99"), 0},
                         *Endpoint::parse("0.0.0.0:0"),
                         true,
                         false,
                         netfilter::Mode::redirect}};
    handover.metrics = true;
    handover.rules = "table gateway\n";
    return handover;
}

TEST(Handover, ComesBackAsItWas)
{
    const auto decoded = decode_handover(encode(sample()));
    ASSERT_TRUE(decoded);
    const auto& handover = *decoded;
    EXPECT_EQ(handover.config_file, "/etc/gateway/gateway.yaml");
    ASSERT_EQ(handover.sources.size(), 2U);
    EXPECT_EQ(handover.sources[1].text, "routes: []\n");
    EXPECT_EQ(handover.generation, 7U);
    EXPECT_EQ(handover.workers, 2U);
    EXPECT_EQ(handover.level, log::Level::debug);
    ASSERT_EQ(handover.sockets.size(), 4U);
    EXPECT_EQ(handover.sockets[0].name, sample().sockets[0].name);
    EXPECT_EQ(handover.sockets[0].asked, sample().sockets[0].asked);
    EXPECT_TRUE(handover.sockets[0].intercepting);
    EXPECT_FALSE(handover.sockets[1].intercepting);
    EXPECT_FALSE(handover.sockets[1].datagrams);
    EXPECT_TRUE(handover.sockets[2].datagrams);
    EXPECT_EQ(handover.sockets[2].mode, netfilter::Mode::tproxy);
    EXPECT_EQ(handover.sockets[3].mode, netfilter::Mode::redirect);
    EXPECT_TRUE(handover.metrics);
    EXPECT_EQ(handover.rules, "table gateway\n");
}

TEST(Handover, NeedsNoLevel)
{
    auto without = sample();
    without.level.reset();
    EXPECT_FALSE(decode_handover(encode(without))->level);
}

TEST(Handover, IsRefusedAtEveryCut)
{
    const auto text = encode(sample());
    for (std::size_t cut = 0; cut < text.size(); ++cut) EXPECT_FALSE(decode_handover(text.substr(0, cut))) << cut;
}

TEST(Handover, IsRefusedWithAnythingOfAnotherType)
{
    for (const auto* wrong : {"{}", "[]", "7", "null", R"({"config_file":1})", R"({"protocol":1})"})
        EXPECT_FALSE(decode_handover(wrong)) << wrong;
    auto text = encode(sample());
    const auto at = text.find("127.0.0.1:4711");
    EXPECT_FALSE(decode_handover(text.replace(at, 9, "localhost")));
}

TEST(Greeting, ComesBackAsItWas)
{
    const auto decoded = decode_greeting(encode(Greeting{3, "1.2.3"}));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->protocol, 3U);
    EXPECT_EQ(decoded->version, "1.2.3");
    EXPECT_FALSE(decode_greeting("{}"));
    EXPECT_FALSE(decode_greeting(R"({"protocol":"1","version":"2"})"));
    EXPECT_FALSE(decode_greeting("hello"));
}

} // namespace
} // namespace gw::keeper
