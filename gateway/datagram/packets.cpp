#include "gateway/datagram/packets.h"

#include <netinet/in.h>

namespace gw::datagram {

namespace {

constexpr std::size_t udp_header_bytes = 8;
constexpr std::uint8_t time_to_live = 64;

/// RFC 1071, over pieces of which only the last may have an odd length.
class Checksum {
public:
    void add(std::string_view bytes)
    {
        std::size_t at = 0;
        for (; at + 1 < bytes.size(); at += 2) add(word(bytes[at], bytes[at + 1]));
        if (at < bytes.size()) add(word(bytes[at], 0));
    }
    void add(std::uint32_t number) { sum_ += number; }
    void add(const Address& address)
    {
        add(std::string_view{reinterpret_cast<const char*>(address.data()), address.size()});
    }
    std::uint16_t value() const
    {
        auto sum = sum_;
        while (sum > 0xffff) sum = (sum >> 16) + (sum & 0xffff);
        return static_cast<std::uint16_t>(~sum & 0xffff);
    }

private:
    static std::uint32_t word(char high, char low)
    {
        return (static_cast<std::uint32_t>(static_cast<std::uint8_t>(high)) << 8) | static_cast<std::uint8_t>(low);
    }
    std::uint64_t sum_ = 0;
};

void put(std::string& into, std::uint16_t number)
{
    into += static_cast<char>(number >> 8);
    into += static_cast<char>(number & 0xff);
}

void put(std::string& into, const Address& address)
{
    into.append(reinterpret_cast<const char*>(address.data()), address.size());
}

void set(std::string& in, std::size_t at, std::uint16_t number)
{
    in[at] = static_cast<char>(number >> 8);
    in[at + 1] = static_cast<char>(number & 0xff);
}

std::uint16_t checksum_of(std::string_view bytes)
{
    Checksum sum;
    sum.add(bytes);
    return sum.value();
}

void put_ip_header(std::string& into, const FlowKey& flow, std::uint16_t udp_bytes)
{
    if (flow.client.address.is_v6()) { // RFC 8200, 3
        into.append("\x60\0\0\0", 4);
        put(into, udp_bytes);
        into += static_cast<char>(IPPROTO_UDP);
        into += static_cast<char>(time_to_live);
        put(into, flow.client.address);
        put(into, flow.destination.address);
        return;
    }
    const auto begin = into.size(); // RFC 791, 3.1
    into.append("\x45\0", 2);
    put(into, static_cast<std::uint16_t>(udp_bytes + 20));
    into.append("\0\0\x40\0", 4);
    into += static_cast<char>(time_to_live);
    into += static_cast<char>(IPPROTO_UDP);
    into.append(2, '\0');
    put(into, flow.client.address);
    put(into, flow.destination.address);
    set(into, begin + 10, checksum_of(std::string_view{into}.substr(begin)));
}

char code_of(Unreachable what, bool v6)
{
    switch (what) {
    case Unreachable::network: return 0;
    case Unreachable::host: return v6 ? 3 : 1;
    case Unreachable::port: return v6 ? 4 : 3;
    }
    return 0;
}

} // namespace

std::array<std::uint8_t, 8> encode_udp_header(const Endpoint& from, const Endpoint& to, std::string_view bytes)
{
    const auto length = static_cast<std::uint16_t>(bytes.size() + udp_header_bytes);
    Checksum sum; // RFC 768; RFC 8200, 8.1
    sum.add(from.address);
    sum.add(to.address);
    sum.add(IPPROTO_UDP);
    sum.add(length);
    sum.add(from.port);
    sum.add(to.port);
    sum.add(length);
    sum.add(bytes);
    const auto checksum = sum.value() == 0 ? std::uint16_t{0xffff} : sum.value(); // zero would say there is none
    const auto high = [](std::uint16_t number) { return static_cast<std::uint8_t>(number >> 8); };
    const auto low = [](std::uint16_t number) { return static_cast<std::uint8_t>(number & 0xff); };
    return {high(from.port), low(from.port), high(to.port),  low(to.port),
            high(length),    low(length),    high(checksum), low(checksum)};
}

std::string encode_unreachable(Unreachable what, const FlowKey& flow, std::size_t size_bytes)
{
    const bool v6 = flow.client.address.is_v6();
    const auto udp_bytes = static_cast<std::uint16_t>(size_bytes + udp_header_bytes);
    std::string message;
    message += v6 ? '\x01' : '\x03';
    message += code_of(what, v6);
    message.append(6, '\0');
    put_ip_header(message, flow, udp_bytes);
    put(message, flow.client.port);
    put(message, flow.destination.port);
    put(message, udp_bytes);
    put(message, 0); // the datagram's own checksum is not known any more; nobody looks at it
    if (!v6) set(message, 2, checksum_of(message));
    return message;
}

} // namespace gw::datagram
