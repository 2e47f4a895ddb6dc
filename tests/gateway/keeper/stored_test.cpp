#include "gateway/keeper/stored.h"

#include <gtest/gtest.h>

namespace gw::keeper {
namespace {

Stored sample()
{
    return {12,
            1'795'260'000,
            "apply",
            {{"/etc/gateway/gateway.yaml", "listeners: []\ninclude: \"conf.d/*\"\n"},
             {"/etc/gateway/conf.d/a b.yaml", ""},
             {"/etc/gateway/conf.d/\n.yaml", std::string("\0\n\xff", 3)}}};
}

TEST(StoredConfiguration, ComesBackAsItWas)
{
    const auto back = decode_stored(encode_stored(sample()));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->number, 12u);
    EXPECT_EQ(back->at, 1'795'260'000);
    EXPECT_EQ(back->how, "apply");
    EXPECT_TRUE(same_sources(back->sources, sample().sources));
}

TEST(StoredConfiguration, IsNotTakenWhenAnythingIsCutOffOrAdded)
{
    const auto whole = encode_stored(sample());
    for (std::size_t cut = 0; cut < whole.size(); ++cut) EXPECT_FALSE(decode_stored(whole.substr(0, cut))) << cut;
    EXPECT_FALSE(decode_stored(whole + "\n"));
    EXPECT_FALSE(decode_stored("x" + whole));
}

TEST(StoredConfiguration, IsNotTakenWhenAByteHasChanged)
{
    const auto whole = encode_stored(sample());
    for (std::size_t at = 0; at < whole.size(); ++at) {
        auto other = whole;
        other[at] = static_cast<char>(other[at] ^ 1);
        EXPECT_FALSE(decode_stored(other)) << at;
    }
}

/// A text with a right sum, whatever it says.
std::string summed(const std::string& content)
{
    std::uint64_t sum = 0xcbf29ce484222325;
    for (const char c : content) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    char line[32];
    std::snprintf(line, sizeof line, "sum %016llx\n", static_cast<unsigned long long>(sum));
    return content + line;
}

TEST(StoredConfiguration, IsNotTakenWhenItsNumbersLie)
{
    const std::string head = "gateway-configuration 1\nnumber 1\nat 2\nhow start\n";
    ASSERT_TRUE(decode_stored(summed(head + "sources 1\n1 2\na\nbc\n")));
    for (const auto* wrong :
         {"sources 1\n1 3\na\nbc\n", "sources 1\n1 18446744073709551615\na\nbc\n", "sources 2\n1 2\na\nbc\n",
          "sources 0\n", "sources 99999999999\n1 2\na\nbc\n", "sources 1\n1 1\na\nbc\n", "sources 1\n-1 2\na\nbc\n",
          "sources 1\n12\na\nbc\n", "sources 1\n1 2\na\nbc\n\n", "", "sources +1\n1 2\na\nbc\n"})
        EXPECT_FALSE(decode_stored(summed(head + wrong))) << wrong;
    for (const auto* at : {"02", "-0", "-02", "", "-", "- 2", "+2", "0x2"})
        EXPECT_FALSE(decode_stored(summed("gateway-configuration 1\nnumber 1\nat " + std::string(at) +
                                          "\nhow start\nsources 1\n1 2\na\nbc\n")))
            << at;
    EXPECT_FALSE(decode_stored(summed("gateway-configuration 2\nnumber 1\nat 2\nhow start\nsources 1\n1 2\na\nbc\n")));
}

} // namespace
} // namespace gw::keeper
