#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/base/result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace gw::netfilter {

/// A TCP socket of this network that listens, of whatever process.
struct ListeningSocket {
    Endpoint at;
    std::uint32_t inode = 0;     ///< that of its descriptors, as stat(2) tells it
    std::uint32_t interface = 0; ///< the only one it serves (SO_BINDTODEVICE); 0: all
    bool both_families = false;  ///< an IPv6 socket that serves IPv4 as well
};

/// Costs nothing for connections, however many. Needs no privilege. Errors: `system`.
Result<std::vector<ListeningSocket>> listening_sockets();

/// Whether some connection would fit both, were they sockets that share their port (SO_REUSEPORT). Pure.
bool overlap(const ListeningSocket& one, const ListeningSocket& other);

/// TCP connections to this network's sockets of which the client's first packet was answered and its second has not
/// come. The kernel looks through all connections for that. Errors: `system`.
Result<std::size_t> handshakes_under_way();

} // namespace gw::netfilter
