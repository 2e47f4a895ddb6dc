#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/endpoint.h"
#include "gateway/base/result.h"

namespace gw::netfilter {

/// The address that sockets are bound to which answer in the name of others: one that no packet is sent to (RFC 7600,
/// 5: 192.0.0.8; RFC 6666: 100::/64).
Address reply_address(bool v6);

/// A UDP socket that may send from `port` of any address of the family, which each message names (IP_PKTINFO):
/// transparent, bound to `reply_address`, non-blocking, close on exec. It receives nothing and carries no mark.
/// Errors: `denied` (a port below 1024 needs CAP_NET_BIND_SERVICE, any CAP_NET_RAW), `refused` (a program of this host
/// holds the port at every address), `system`.
Result<Descriptor> open_reply_socket(std::uint16_t port, bool v6);

} // namespace gw::netfilter
