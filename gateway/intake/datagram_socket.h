#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/endpoint.h"
#include "gateway/base/result.h"
#include "netfilter/settings.h"

#include <cstdint>
#include <vector>

namespace gw::intake {

/// Opens one UDP socket of an intercepting listener, on a loopback address that only the rules lead to: transparent, in
/// a SO_REUSEPORT group with those of the other workers (so the datagrams of one client's port always come to the same
/// one), telling the original destination of each datagram, non-blocking, close on exec, with room for a burst.
/// Errors: `denied` (no privilege), `refused`, `system`; `what` names the address and says what to do.
Result<Descriptor> open_datagram_socket(const Endpoint& at, std::uint32_t own_mark);

/// The ports below 1024 in `ranges`, each once: who answers from them needs a socket from somebody with the privilege.
/// At most 64; beyond that, answers leave through a raw socket.
std::vector<std::uint16_t> privileged_ports(const std::vector<netfilter::PortRange>& ranges);

} // namespace gw::intake
