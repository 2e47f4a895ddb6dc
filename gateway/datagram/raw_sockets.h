#pragma once

#include "gateway/datagram/packets.h"

#include <array>

namespace gw::datagram {

/// Sends to clients what no ordinary socket can: datagrams from an address and port that a program of this host holds,
/// and ICMP messages in the name of a destination. The sockets are opened when they are first needed and receive
/// nothing. Needs CAP_NET_RAW; without it nothing is sent.
class RawSockets {
public:
    /// False when the kernel did not take it.
    bool send_datagram(const Endpoint& from, const Endpoint& to, std::string_view bytes);
    /// Tells the client of `flow`, from its destination. `size_bytes`: of the datagram that got nowhere.
    bool send_unreachable(Unreachable what, const FlowKey& flow, std::size_t size_bytes);

private:
    enum Kind : std::size_t { udp_v4, udp_v6, icmp_v4, icmp_v6, kind_count };
    int socket_of(Kind kind);

    std::array<Descriptor, kind_count> sockets_;
    std::array<bool, kind_count> tried_{};
};

} // namespace gw::datagram
