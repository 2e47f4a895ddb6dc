#pragma once

#include "gateway/base/endpoint.h"
#include "netfilter/rtnetlink.h"

#include <optional>
#include <string>
#include <vector>

namespace gw::netfilter {

/// An address of an interface, with the length of the network's prefix.
struct HostAddress {
    Address address;
    std::uint8_t prefix = 0;
    /// The network around it.
    Network network() const;
};

struct HostInterface {
    std::string name;
    bool up = false;
    bool loopback = false;
    std::string kind;      ///< "bridge", "veth", ...; empty: hardware
    std::string port_kind; ///< "bridge" when it is a port of one; empty: of nothing
    std::vector<HostAddress> addresses{};
};

/// A policy rule of anybody.
struct HostRule {
    bool v6 = false;
    std::uint32_t priority = 0;
    std::uint32_t table = 0; ///< 0: it leads to no table
    std::optional<std::uint32_t> mark{};
    std::uint32_t mask = 0;
    std::string iif;
    std::string oif;
    bool narrowed = false; ///< by addresses, ports, users or the like
    bool inverted = false; ///< `not`
    std::uint8_t protocol = 0;
    friend bool operator==(const HostRule&, const HostRule&) = default;
};

/// What `ip route get` is asked.
struct RouteQuestion {
    Address to;
    std::optional<Address> from{};
    std::string iif; ///< as if it had arrived there; empty: as if sent from here
    std::uint32_t mark = 0;
};

/// What the kernel would do with such a packet.
struct RouteReply {
    enum class Kind { forwarded, delivered, broadcast, refused };
    Kind kind = Kind::refused;
    int error = 0; ///< errno when refused
    std::string interface;
    std::optional<Address> gateway{};
    std::uint32_t table = 0;
};

/// Reads the host's interfaces, policy rules and routes over rtnetlink. Needs no privilege.
class HostTables {
public:
    /// Errors: `system`.
    static Result<HostTables> open();

    Result<std::vector<HostInterface>> interfaces();
    Result<std::vector<HostRule>> rules();
    /// How many routes a table has beside one `local default`. Errors: `system`.
    Result<std::size_t> foreign_routes(std::uint32_t table);
    RouteReply route(const RouteQuestion& question);

private:
    explicit HostTables(Rtnetlink kernel) : kernel_(std::move(kernel)) {}
    Rtnetlink kernel_;
};

} // namespace gw::netfilter
