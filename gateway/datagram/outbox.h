#pragma once

#include "gateway/base/endpoint.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace gw::datagram {

/// What is to be sent: one datagram, or, with `segment_bytes`, as many of that size as `bytes` holds, the last one
/// maybe smaller.
struct Outgoing {
    std::string_view bytes;
    std::uint16_t segment_bytes = 0;

    std::uint64_t count() const { return segment_bytes == 0 ? 1 : (bytes.size() + segment_bytes - 1) / segment_bytes; }
};

/// What became of it.
struct Sent {
    std::uint64_t datagrams = 0;
    std::uint64_t bytes = 0;
    std::uint64_t dropped = 0; ///< not taken: no room in a queue, too large for the path, no route
    int error = 0;             ///< the errno that says most about those dropped
};

/// The way to a client from a socket that is not connected.
struct ReplyPath {
    Address from; ///< in whose name; the port is the socket's own
    Endpoint to;
};

/// Sends `all` in order, along `path`, or where the socket is connected to when `path` is null. Datagrams of one size
/// in a row leave as one message that the kernel or the network card cuts (UDP_SEGMENT), as long as `segments` is true;
/// it is set to false when the path does not take such. Never waits: what finds no room is dropped, as a router would.
/// Errors on a connected socket that belong to datagrams sent before (ECONNREFUSED) end the call.
Sent send_all(int socket, const ReplyPath* path, std::span<const Outgoing> all, bool& segments);

} // namespace gw::datagram
