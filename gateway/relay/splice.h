#pragma once

#include "gateway/base/socket_stream.h"
#include "gateway/relay/pipe.h"

#include <cstddef>
#include <optional>

namespace gw::relay {

/// So many pieces of less than that in a row are no bulk: copying takes fewer system calls for them.
inline constexpr std::size_t small_piece_bytes = 4 * 1024;
inline constexpr int quiet_after_pieces = 8;

/// Who splices leaves the thread to others after that much.
inline constexpr std::size_t turn_bytes = 1024 * 1024;

/// The socket behind a stream that adds nothing to it; null: there is none, and its bytes must be copied.
SocketStream* socket_of(Stream& stream);

/// Takes what `from` has, at most `most_bytes`, into the empty `pipe`. 0: the end of the stream. None: nothing is there
/// now. Errors: as of `read_now`; the cause is `invalid_argument` for a kind of socket that cannot splice.
std::optional<Result<std::size_t>> fill_now(Pipe& pipe, SocketStream& from, Side side, std::size_t most_bytes);

/// Gives `to` what is in the pipe, as far as it takes it. None: there is no room now. Errors: as of `write_now`.
std::optional<Result<std::size_t>> drain_now(Pipe& pipe, SocketStream& to, Side side);

} // namespace gw::relay
