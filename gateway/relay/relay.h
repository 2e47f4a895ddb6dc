#pragma once

#include "gateway/base/buffer.h"
#include "gateway/base/stream.h"
#include "gateway/relay/settings.h"

#include <chrono>
#include <cstdint>
#include <optional>

namespace gw::relay {

/// Counters that go up while the relay runs, so that `gatewayctl connections` sees them. Same thread.
struct Counts {
    std::uint64_t from_client_bytes = 0;
    std::uint64_t to_client_bytes = 0;
    std::uint64_t spliced_bytes = 0;                            ///< of both, what never was copied into this process
    std::chrono::steady_clock::time_point first_to_client_at{}; ///< when the first byte of the upstream went on
};

/// Moves bytes both ways until both directions ended. What is in `from_client` and `from_upstream` was read before and
/// goes first; each direction reads into its own of them.
/// An end in one direction is passed on (half-close) and the other goes on; a failure or reset in one resets the other
/// side. A slow receiver stops the reading of its sender. Plain sockets on both sides are spliced once a direction has
/// moved `splice_after_bytes` and has more than one buffer at a time to move; small messages are copied.
/// After a failure both streams are closed. What is under way when a receiver fails is lost, as it is on a router.
/// Errors: of the first side that failed; `timed_out`, side gateway, for the idle limits. The counts are right either
/// way: bytes that the receiving stream took.
Task<Result<>> run(Stream& client, Stream& upstream, Buffer& from_client, Buffer& from_upstream,
                   const Settings& settings, Counts& counts);

} // namespace gw::relay
