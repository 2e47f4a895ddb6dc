#include "gateway/keeper/descriptor_name.h"

#include <gtest/gtest.h>

namespace gw::keeper {

namespace {

DescriptorName name_of(std::string listener, std::string_view bound)
{
    DescriptorName name;
    name.listener = std::move(listener);
    name.bound = *Endpoint::parse(bound);
    return name;
}

struct Row {
    const char* text;
    DescriptorName name;
};

std::vector<Row> rows()
{
    auto plain = name_of("web", "0.0.0.0:80");
    auto any = name_of("public.2", "127.0.0.1:41234");
    any.any_port = true;
    any.worker = 17;
    auto tproxy = name_of("web", "[::1]:41235");
    tproxy.intercepting = tproxy.any_port = true;
    auto redirect = name_of("nat", "[::]:41236");
    redirect.intercepting = redirect.any_port = true;
    redirect.mode = netfilter::Mode::redirect;
    auto external = name_of("ext_1", "192.0.2.1:443");
    external.intercepting = true;
    external.mode = netfilter::Mode::external;
    external.worker = 9'999;
    auto datagrams = name_of("dns-1", "192.0.0.8:53");
    datagrams.intercepting = datagrams.any_port = datagrams.datagrams = true;
    return {{"gw1/web/btc/0/00000000/80", plain},
            {"gw1/public.2/btk/17/7f000001/41234", any},
            {"gw1/web/ttk/0/00000000000000000000000000000001/41235", tproxy},
            {"gw1/nat/rtk/0/00000000000000000000000000000000/41236", redirect},
            {"gw1/ext_1/etc/9999/c0000201/443", external},
            {"gw1/dns-1/tuk/0/c0000008/53", datagrams}};
}

TEST(DescriptorName, SaysEverythingInItsText)
{
    for (const auto& row : rows()) {
        EXPECT_EQ(encode(row.name), row.text);
        const auto decoded = decode_descriptor_name(row.text);
        ASSERT_TRUE(decoded) << row.text;
        EXPECT_EQ(*decoded, row.name) << row.text;
    }
}

TEST(DescriptorName, KnowsTheAddressThatWasAskedFor)
{
    EXPECT_EQ(rows()[0].name.asked().text(), "0.0.0.0:80");
    EXPECT_EQ(rows()[1].name.asked().text(), "127.0.0.1:0");
}

TEST(DescriptorName, IsRefusedAtEveryCutThatIsNoWholeName)
{
    for (const auto& row : rows()) {
        const std::string_view text = row.text;
        for (std::size_t cut = 0; cut < text.size(); ++cut) {
            const auto decoded = decode_descriptor_name(text.substr(0, cut));
            // The number at the end is shorter then, and still one.
            EXPECT_EQ(decoded.has_value(), cut > text.rfind('/') + 1) << text.substr(0, cut);
            if (decoded) {
                EXPECT_EQ(encode(*decoded), text.substr(0, cut));
            }
        }
    }
}

TEST(DescriptorName, StaysWithinTheLimitsOfTheServiceManager)
{
    auto longest = rows()[2].name;
    longest.listener = std::string(64, 'w');
    longest.worker = 9'999;
    const auto text = encode(longest);
    EXPECT_LE(text.size(), max_descriptor_name_bytes);
    EXPECT_EQ(*decode_descriptor_name(text), longest);
    EXPECT_EQ(text.find(':'), std::string::npos);
    constexpr std::size_t most_of_a_variable = 128 * 1024;
    EXPECT_LT(most_stored * (max_descriptor_name_bytes + 1) + 64, most_of_a_variable);
}

TEST(DescriptorName, TakesNothingElse)
{
    using namespace std::string_literals;
    for (const auto& text : {""s,
                             "stored"s,
                             "unknown"s,
                             "web.socket"s,
                             "gw1"s,
                             "gw1/////"s,
                             "gw2/web/btc/0/00000000/80"s,
                             "gw1/web/btc/0/00000000/80/"s,
                             "/gw1/web/btc/0/00000000/80"s,
                             "gw1/web/btc/0/00000000/80 "s,
                             "gw1/web/btc/0/00000000/080"s,
                             "gw1/web/btc/0/00000000/0"s,
                             "gw1/web/btc/0/00000000/65536"s,
                             "gw1/web/btc/0/00000000/-1"s,
                             "gw1/web/btc/0/00000000/+80"s,
                             "gw1/web/btc/00/00000000/80"s,
                             "gw1/web/btc/10000/00000000/80"s,
                             "gw1/web/btc/99999999999999999999/00000000/80"s,
                             "gw1/web/btc//00000000/80"s,
                             "gw1/web/btc/0/0000000/80"s,
                             "gw1/web/btc/0/000000000/80"s,
                             "gw1/web/btc/0/7F000001/80"s,
                             "gw1/web/btc/0/7f00000g/80"s,
                             "gw1/web/xtc/0/00000000/80"s,
                             "gw1/web/bxc/0/00000000/80"s,
                             "gw1/web/btx/0/00000000/80"s,
                             "gw1/web/bt/0/00000000/80"s,
                             "gw1/web/btcc/0/00000000/80"s,
                             "gw1//btc/0/00000000/80"s,
                             "gw1/.web/btc/0/00000000/80"s,
                             "gw1/we b/btc/0/00000000/80"s,
                             "gw1/w\xc3\xa4/btc/0/00000000/80"s,
                             "gw1/web\0/btc/0/00000000/80"s,
                             "gw1/"s + std::string(65, 'w') + "/btc/0/00000000/80",
                             "gw1/"s + std::string(1 << 20, '/'),
                             std::string(1 << 20, 'g')})
        EXPECT_FALSE(decode_descriptor_name(text)) << text.substr(0, 200);
}

} // namespace
} // namespace gw::keeper
