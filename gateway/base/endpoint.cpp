#include "gateway/base/endpoint.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstring>
#include <netinet/in.h>

namespace gw {

namespace {

Error malformed(std::string_view what, std::string_view text)
{
    return Error{Fault::malformed, Side::gateway, "not " + std::string{what} + ": \"" + std::string{text} + "\""};
}

bool bit_set(const std::uint8_t* bytes, std::size_t bit) { return (bytes[bit / 8] >> (7 - bit % 8)) & 1; }

} // namespace

Address Address::v4(std::array<std::uint8_t, 4> bytes)
{
    Address a;
    std::copy(bytes.begin(), bytes.end(), a.bytes_.begin());
    return a;
}

Address Address::v6(std::array<std::uint8_t, 16> bytes)
{
    Address a;
    a.bytes_ = bytes;
    a.v6_ = true;
    return a;
}

Result<Address> Address::parse(std::string_view text)
{
    char copy[INET6_ADDRSTRLEN + 1]{};
    if (text.empty() || text.size() >= sizeof copy) return malformed("an address", text);
    std::copy(text.begin(), text.end(), copy);
    if (std::strlen(copy) != text.size()) return malformed("an address", text);
    std::array<std::uint8_t, 4> four{};
    if (inet_pton(AF_INET, copy, four.data()) == 1) return v4(four);
    std::array<std::uint8_t, 16> sixteen{};
    if (inet_pton(AF_INET6, copy, sixteen.data()) == 1) return v6(sixteen);
    return malformed("an address", text);
}

bool Address::is_unspecified() const
{
    return std::all_of(bytes_.begin(), bytes_.end(), [](auto b) { return b == 0; });
}

bool Address::is_loopback() const
{
    if (!v6_) return bytes_[0] == 127;
    return bytes_[15] == 1 && std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto b) { return b == 0; });
}

bool Address::is_multicast() const { return v6_ ? bytes_[0] == 0xff : (bytes_[0] & 0xf0) == 0xe0; }

bool Address::is_link_local() const
{
    return v6_ ? bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80 : bytes_[0] == 169 && bytes_[1] == 254;
}

bool Address::is_v4_mapped() const
{
    return v6_ && std::all_of(bytes_.begin(), bytes_.begin() + 10, [](auto b) { return b == 0; }) &&
           bytes_[10] == 0xff && bytes_[11] == 0xff;
}

Address Address::unmapped() const
{
    if (!is_v4_mapped()) return *this;
    return v4({bytes_[12], bytes_[13], bytes_[14], bytes_[15]});
}

std::string Address::text() const
{
    char into[INET6_ADDRSTRLEN]{};
    if (v6_) return inet_ntop(AF_INET6, bytes_.data(), into, sizeof into);
    auto* end = into;
    for (std::size_t i = 0; i < 4; ++i) {
        if (i > 0) *end++ = '.';
        end = std::to_chars(end, into + sizeof into, bytes_[i]).ptr;
    }
    return {into, end};
}

Result<Endpoint> Endpoint::parse(std::string_view text)
{
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return malformed("an address and port", text);
    auto host = text.substr(0, colon);
    const auto port_text = text.substr(colon + 1);
    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);

    std::uint16_t port = 0;
    const auto [end, wrong] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
    if (wrong != std::errc{} || end != port_text.data() + port_text.size())
        return malformed("an address and port", text);
    const auto address = Address::parse(host);
    if (!address || address->is_v6() != bracketed) return malformed("an address and port", text);
    return Endpoint{*address, port};
}

std::string Endpoint::text() const
{
    const auto port_text = ":" + std::to_string(port);
    return address.is_v6() ? "[" + address.text() + "]" + port_text : address.text() + port_text;
}

Result<Network> Network::parse(std::string_view text)
{
    const auto slash = text.find('/');
    const auto address = Address::parse(text.substr(0, slash));
    if (!address) return malformed("a network", text);
    const auto bits = address->size() * 8;
    unsigned prefix = static_cast<unsigned>(bits);
    if (slash != std::string_view::npos) {
        const auto digits = text.substr(slash + 1);
        const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
        if (wrong != std::errc{} || end != digits.data() + digits.size() || prefix > bits)
            return malformed("a network", text);
    }
    for (std::size_t bit = prefix; bit < bits; ++bit)
        if (bit_set(address->data(), bit)) return malformed("a network (bits after the prefix are set)", text);
    return Network{*address, static_cast<std::uint8_t>(prefix)};
}

bool Network::contains(const Address& candidate) const
{
    if (candidate.is_v6() != address.is_v6()) return false;
    const std::size_t whole = prefix / 8;
    if (std::memcmp(candidate.data(), address.data(), whole) != 0) return false;
    for (std::size_t bit = whole * 8; bit < prefix; ++bit)
        if (bit_set(candidate.data(), bit) != bit_set(address.data(), bit)) return false;
    return true;
}

std::string Network::text() const { return address.text() + "/" + std::to_string(prefix); }

Endpoint from_sockaddr(const sockaddr_storage& from)
{
    if (from.ss_family == AF_INET) {
        const auto& in = reinterpret_cast<const sockaddr_in&>(from);
        std::array<std::uint8_t, 4> bytes{};
        std::memcpy(bytes.data(), &in.sin_addr, bytes.size());
        return {Address::v4(bytes), ntohs(in.sin_port)};
    }
    if (from.ss_family == AF_INET6) {
        const auto& in = reinterpret_cast<const sockaddr_in6&>(from);
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
        return {Address::v6(bytes).unmapped(), ntohs(in.sin6_port)};
    }
    return {};
}

socklen_t to_sockaddr(const Endpoint& endpoint, sockaddr_storage& into)
{
    into = {};
    if (endpoint.address.is_v6()) {
        auto& out = reinterpret_cast<sockaddr_in6&>(into);
        out.sin6_family = AF_INET6;
        out.sin6_port = htons(endpoint.port);
        std::memcpy(&out.sin6_addr, endpoint.address.data(), 16);
        return sizeof out;
    }
    auto& out = reinterpret_cast<sockaddr_in&>(into);
    out.sin_family = AF_INET;
    out.sin_port = htons(endpoint.port);
    std::memcpy(&out.sin_addr, endpoint.address.data(), 4);
    return sizeof out;
}

} // namespace gw
