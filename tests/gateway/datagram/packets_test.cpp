#include "gateway/datagram/packets.h"

#include <gtest/gtest.h>

namespace gw::datagram {
namespace {

Endpoint at(std::string_view text) { return *Endpoint::parse(text); }

std::string hex(std::string_view bytes)
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        text += digits[static_cast<std::uint8_t>(c) >> 4];
        text += digits[static_cast<std::uint8_t>(c) & 15];
    }
    return text;
}

/// The sum of RFC 1071 over words; all ones when a checksum among them is right.
std::uint32_t sum_of(std::string_view bytes)
{
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        sum += static_cast<std::uint32_t>(static_cast<std::uint8_t>(bytes[i])) << (i % 2 == 0 ? 8 : 0);
    while (sum > 0xffff) sum = (sum >> 16) + (sum & 0xffff);
    return sum;
}

std::string bytes_of(const Address& address) { return {reinterpret_cast<const char*>(address.data()), address.size()}; }

TEST(UdpHeader, HasPortsLengthAndARightChecksum)
{
    for (const auto& [from, to] :
         {std::pair{"192.0.2.1:53", "198.51.100.7:40000"}, {"[2001:db8::1]:53", "[2001:db8::7]:40000"}}) {
        for (const std::size_t size : {0, 1, 2, 3, 511, 65'507}) {
            const std::string payload(size, 'p');
            const auto header = encode_udp_header(at(from), at(to), payload);
            const std::string bytes(header.begin(), header.end());
            EXPECT_EQ(hex(bytes.substr(0, 4)), "00359c40");
            EXPECT_EQ(sum_of(bytes.substr(4, 2)), size + 8);
            std::string all = bytes_of(at(from).address) + bytes_of(at(to).address);
            all += std::string("\0\x11", 2) + bytes.substr(4, 2) + bytes + payload;
            EXPECT_EQ(sum_of(all), 0xffffU) << from << " " << size;
        }
    }
}

TEST(Unreachable, QuotesTheClientsDatagramOverIpv4)
{
    const FlowKey flow{at("10.0.1.2:40000"), at("192.0.2.1:53")};
    const auto message = encode_unreachable(Unreachable::port, flow, 5);

    EXPECT_EQ(message.size(), 8U + 20U + 8U);
    EXPECT_EQ(hex(message.substr(0, 2)), "0303");
    EXPECT_EQ(sum_of(message), 0xffffU) << "the checksum of ICMP";
    const auto inner = message.substr(8);
    EXPECT_EQ(sum_of(inner.substr(0, 20)), 0xffffU) << "the checksum of IP";
    EXPECT_EQ(hex(inner.substr(0, 4)), "45000021");
    EXPECT_EQ(hex(inner.substr(8, 2)), "4011");
    EXPECT_EQ(hex(inner.substr(12)), "0a000102c00002019c400035000d0000");
}

TEST(Unreachable, QuotesTheClientsDatagramOverIpv6)
{
    const FlowKey flow{at("[2001:db8::2]:40000"), at("[2001:db8::1]:53")};
    const auto message = encode_unreachable(Unreachable::port, flow, 5);

    EXPECT_EQ(message.size(), 8U + 40U + 8U);
    EXPECT_EQ(hex(message.substr(0, 8)), "0104000000000000");
    EXPECT_EQ(hex(message.substr(8, 8)), "60000000000d1140");
    EXPECT_EQ(hex(message.substr(48)), "9c400035000d0000");
}

TEST(Unreachable, HasTheCodeOfEachFamily)
{
    const FlowKey v4{at("10.0.1.2:1"), at("192.0.2.1:1")}, v6{at("[::2]:1"), at("[::3]:1")};
    const auto code = [](Unreachable what, const FlowKey& flow) {
        return static_cast<int>(encode_unreachable(what, flow, 0)[1]);
    };
    EXPECT_EQ(code(Unreachable::network, v4), 0);
    EXPECT_EQ(code(Unreachable::host, v4), 1);
    EXPECT_EQ(code(Unreachable::port, v4), 3);
    EXPECT_EQ(code(Unreachable::network, v6), 0);
    EXPECT_EQ(code(Unreachable::host, v6), 3);
    EXPECT_EQ(code(Unreachable::port, v6), 4);
}

} // namespace
} // namespace gw::datagram
