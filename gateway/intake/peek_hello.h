#pragma once

#include "gateway/base/buffer.h"
#include "gateway/base/flow.h"
#include "gateway/base/socket_stream.h"
#include "gateway/intake/settings.h"

#include <chrono>

namespace gw::intake {

// How a session finds out what it has, without stalling where the server speaks first:
//   1. read_first_bytes: true -> peek_hello. False: the client is silent; dial the upstream meanwhile, then
//   2. who_speaks_first: client -> peek_hello; upstream -> Hello::server_first, relay; nobody -> Hello::silent.
// A client that ended its side without a byte counts as speaking in 2; peek_hello then says `closed`.

/// Reads what the client sends first into `received`, in one call; true when something came. False when nothing came
/// within `limit` of now: no error, no byte is lost and `client` is as it was before. Needs room in `received`, and
/// that nothing else waits on `client`. Leaves the deadline of `client` alone.
/// Errors: `closed`, side client, when it ended without a byte; those of `read_some`.
Task<Result<bool>> read_first_bytes(Stream& client, Buffer& received, std::chrono::milliseconds limit);

/// Reads into `received` until `classify` knows what it is the start of; what is there already counts. Nothing is
/// consumed: all bytes stay for the next reader. A client that ends while the answer is open is `other`.
/// Needs `received.limit()` of at least `max_hello_bytes`. Sets the deadline of `client` to `hello_limit` from now, and
/// takes it away when it succeeds.
/// Errors: of `classify`; `timed_out`, side client; `closed`, side client, when it ended without a byte; of
/// `read_some`.
Task<Result<Hello>> peek_hello(Stream& client, Buffer& received, const Settings& settings);

enum class Who { client, upstream, nobody };

/// Waits until one side has something to read (or ended), and says which; `nobody` after `limit`. Reads nothing; both
/// streams are as before. When both have something: the client.
/// Errors: of the side that failed first.
Task<Result<Who>> who_speaks_first(SocketStream& client, SocketStream& upstream, std::chrono::milliseconds limit);

} // namespace gw::intake
