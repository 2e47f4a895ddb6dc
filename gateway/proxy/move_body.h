#pragma once

#include "gateway/base/buffer.h"
#include "gateway/base/memory_allowance.h"
#include "gateway/base/stream.h"
#include "gateway/http/body.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>

namespace gw::proxy {

/// How a body is written.
enum class BodyForm { plain, chunked };

/// How slowly a body may come: for `grace`, and a second more for each `bytes_per_second` that came. Only the time
/// spent waiting for the sender counts, so a slow receiver is not held against it.
struct Pace {
    std::size_t bytes_per_second = 0; ///< 0: however slowly
    std::chrono::milliseconds grace{};
    std::chrono::steady_clock::duration waited{};
};

/// Where a body comes from: what is in `received` first, then the stream.
struct BodySource {
    Stream& stream;
    Buffer& received;
    http::BodyReader& reader;
    std::chrono::milliseconds idle_limit;
    std::uint64_t limit_bytes = UINT64_MAX; ///< content past that is `too_large`
    Pace* pace = nullptr;                   ///< null: however slowly; too slow is `timed_out`
};

/// A copy of the beginning of what passes, for those who look at it afterwards. `limit_bytes` 0: none is kept.
struct Tee {
    std::string bytes;
    std::size_t limit_bytes = 0;
};

/// The head of a message and what was collected of its body, framed. `content` outlives it.
class Beginning {
public:
    Beginning(std::string head, std::string_view content, BodyForm form);
    Beginning(const Beginning&) = delete;
    Beginning& operator=(const Beginning&) = delete;

    std::span<const asio::const_buffer> pieces() const { return pieces_; }

private:
    std::string head_; // with the size of the chunk
    std::array<asio::const_buffer, 3> pieces_;
};

/// Moves a body on, unframed and framed anew, as it arrives: `head` first (of at most four pieces), together with the
/// first piece in one write.
/// `moved_bytes` counts content while it runs. Ends when the body has ended.
/// Errors: of either stream or the framing, with their side.
Task<Result<>> move_body(BodySource from, Stream& to, BodyForm form, std::span<const asio::const_buffer> head,
                         std::uint64_t& moved_bytes, Tee* tee);

/// Why what takes memory is refused.
Error short_of_memory();

/// Reads a body into memory until it has ended, or is longer than `limit_bytes` (by less than the buffer). True: it has
/// ended. Errors: as of `move_body`; `refused` when `memory` (null: no bounds) does not allow it.
Task<Result<bool>> collect_body(BodySource from, std::size_t limit_bytes, std::string& into, MemoryAllowance* memory);

/// Reads on and forgets, up to `limit_bytes`. True: the body has ended, the connection can carry another message.
Task<bool> drain_body(BodySource from, std::size_t limit_bytes);

} // namespace gw::proxy
