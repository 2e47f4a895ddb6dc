#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/base/networks.h"
#include "gateway/base/position.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace gw::netfilter {

enum class Mode { tproxy, redirect, external };
enum class Transport { tcp, udp };
enum class WhenDown { pass, reject, drop };
/// What holds the rules in the kernel. `automatic`: nft where it can do what is needed, else iptables.
enum class Backend { automatic, nft, iptables };

struct PortRange {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
    friend auto operator<=>(const PortRange&, const PortRange&) = default;
};

/// `intercept:` of one listener.
struct Intercept {
    Mode mode = Mode::tproxy;
    std::vector<std::string> interfaces; ///< where it arrives; empty: any that is not loopback
    Networks to;                         ///< destinations; never empty
    std::vector<PortRange> ports;        ///< never empty
    Transport transport = Transport::tcp;
    Networks except_from;
    Networks except_to;
    WhenDown when_down = WhenDown::pass;
    Position where;
    bool keeps_address = true; ///< upstreams are dialled with the client's address: their answers must come here
    bool keeps_port = false;   ///< and with its port

    /// False: others' rules lead the connections here, and nothing has to be led back.
    bool needs_rules() const { return mode != Mode::external || keeps_address; }
};

/// The longest `Settings::table` that leaves room for the rest of a chain's name in iptables, which takes 28 letters.
inline constexpr std::size_t max_chain_prefix = 14;

/// Numbers the kernel's side is marked with. Chosen so as not to meet those of Tailscale (0x80000/0xff0000), Cilium
/// (0x0f00), kube-proxy (0x4000, 0x8000), Istio (0x539) and Docker.
struct Settings {
    Backend backend = Backend::automatic;
    std::string table = "gateway";            ///< our nft table, family inet; the chains of iptables begin with it
    std::uint32_t mark_mask = 0x03000000;     ///< the only bits of a mark we read or write
    std::uint32_t captured_mark = 0x01000000; ///< packets that go to a transparent socket of ours
    std::uint32_t own_mark = 0x02000000;      ///< what the gateway itself sends
    std::uint32_t route_table = 7'373;        ///< policy routing table with the local route
    std::uint32_t rule_priority = 773;        ///< of the policy rules
    std::uint8_t route_protocol = 2;          ///< RTPROT_KERNEL: networkd leaves such rules alone
    std::uint16_t zone = 7'373;               ///< conntrack zone of connections made as a client (conntrack_rules.h)
    friend bool operator==(const Settings&, const Settings&) = default;
};

/// What the gateway sends on a twin: the connection to an upstream that has the addresses and ports of the client's
/// own, where conntrack would see both as one. A third mark, so that it needs no setting of its own.
constexpr std::uint32_t twin_mark(const Settings& settings) { return settings.captured_mark ^ settings.own_mark; }

} // namespace gw::netfilter
