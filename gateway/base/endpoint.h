#pragma once

#include "gateway/base/result.h"

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <sys/socket.h>

namespace gw {

/// An IPv4 or IPv6 address. IPv4 stays IPv4 here: a v4-mapped one is unmapped where it enters (`from_sockaddr`).
class Address {
public:
    Address() = default; ///< 0.0.0.0
    static Address v4(std::array<std::uint8_t, 4> bytes);
    static Address v6(std::array<std::uint8_t, 16> bytes); ///< keeps a v4-mapped address as IPv6
    /// Text form, no brackets, no zone. Errors: `malformed`, side gateway.
    static Result<Address> parse(std::string_view text);

    bool is_v6() const { return v6_; }
    bool is_v4() const { return !v6_; }
    /// Network byte order; 4 or 16 bytes.
    const std::uint8_t* data() const { return bytes_.data(); }
    std::size_t size() const { return v6_ ? 16 : 4; }
    bool is_unspecified() const;
    bool is_loopback() const;   ///< 127.0.0.0/8, ::1
    bool is_multicast() const;  ///< 224.0.0.0/4, ff00::/8
    bool is_link_local() const; ///< 169.254.0.0/16, fe80::/10
    bool is_v4_mapped() const;  ///< ::ffff:0:0/96
    Address unmapped() const;   ///< the IPv4 address inside a v4-mapped one; else itself
    std::string text() const;

    friend auto operator<=>(const Address&, const Address&) = default;

private:
    std::array<std::uint8_t, 16> bytes_{};
    bool v6_ = false;
};

struct Endpoint {
    Address address{};
    std::uint16_t port = 0;

    /// "192.0.2.1:80", "[2001:db8::1]:80". Errors: `malformed`, side gateway.
    static Result<Endpoint> parse(std::string_view text);
    std::string text() const;
    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

/// An address range in CIDR form. Host bits are zero.
struct Network {
    Address address{};
    std::uint8_t prefix = 0;

    /// "192.0.2.0/24", "2001:db8::/32", or a single address. Host bits that are set are an error, so that a typing
    /// mistake does not silently widen or move a range. Errors: `malformed`, side gateway.
    static Result<Network> parse(std::string_view text);
    bool contains(const Address& candidate) const;
    std::string text() const;
    friend auto operator<=>(const Network&, const Network&) = default;
};

/// Unmaps v4-mapped addresses. Families other than IPv4 and IPv6 give 0.0.0.0:0.
Endpoint from_sockaddr(const sockaddr_storage& from);
/// Fills `into` and returns its length.
socklen_t to_sockaddr(const Endpoint& endpoint, sockaddr_storage& into);

} // namespace gw

template <> struct std::hash<gw::Address> {
    std::size_t operator()(const gw::Address& a) const noexcept
    {
        return std::hash<std::string_view>{}({reinterpret_cast<const char*>(a.data()), a.size()});
    }
};
template <> struct std::hash<gw::Endpoint> {
    std::size_t operator()(const gw::Endpoint& e) const noexcept
    {
        return std::hash<gw::Address>{}(e.address) * 31 + e.port;
    }
};
