#pragma once

#include "gateway/base/socket_stream.h"
#include "gateway/proxy/move_body.h"

namespace gw::proxy {

/// What is left of a body must be that long to be worth a pipe.
inline constexpr std::uint64_t least_spliced_bytes = 256 * 1024;

/// Moves on what `from.reader` knows to be content, from socket to socket through a pipe, without a copy in this
/// process; nothing of it may be in `from.received`. Until the body has ended, or is better copied for now: it comes in
/// small pieces, or there is no pipe. False: these sockets cannot do it. Never takes a byte past the body.
/// Errors and `moved_bytes`: as of `move_body`.
Task<Result<bool>> splice_body(BodySource from, SocketStream& in, SocketStream& out, std::uint64_t& moved_bytes);

} // namespace gw::proxy
