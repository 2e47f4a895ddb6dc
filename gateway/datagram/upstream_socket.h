#pragma once

#include "gateway/datagram/flow.h"
#include "gateway/upstream/guard.h"

namespace gw::datagram {

/// A socket towards a flow's destination, with our mark on all it sends.
struct UpstreamSocket {
    Descriptor socket;
    bool source_kept = false; ///< it speaks as the client
};

/// Opens it and connects it, so that only the destination's answers come in, and what ICMP says of it. As the client
/// where `source` says so; where that cannot be had (no port free, no privilege), as the gateway.
/// Errors: `refused`, side upstream (no way there); `system` (no descriptor or memory left); `denied`, of the guard.
Result<UpstreamSocket> open_upstream(const FlowKey& flow, Source source, std::uint32_t own_mark,
                                     const upstream::Guard& guard);

/// From now on datagrams that come in a row may be received as one.
bool receive_segments(int socket);

} // namespace gw::datagram
