#pragma once

#include "gateway/base/task.h"

#include <boost/asio/buffer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <span>

namespace gw {

class DeadlineWheel;

/// Bytes both ways: a plain socket, TLS over one, a tunnel's stream, or a pipe in memory for tests. One reader and one
/// writer at a time. A stream knows whose side it is on, so its errors are complete.
class Stream {
public:
    virtual ~Stream() = default;

    /// Reads at least one byte into a buffer that has room; 0 only at the end of the stream.
    /// Errors: `timed_out` past the deadline, `closed` on reset or after `close`, `system`.
    virtual Task<Result<std::size_t>> read_some(asio::mutable_buffer into) = 0;

    /// As `read_some`, as far as that goes without waiting. None: nothing is there now, or it cannot be known.
    virtual std::optional<Result<std::size_t>> read_now(asio::mutable_buffer /*into*/) { return std::nullopt; }

    /// Waits until `read_some` has something to say, reading nothing: who waits long so holds no buffer. A stream that
    /// cannot tell returns at once. Errors: as for `read_some`.
    virtual Task<Result<>> wait_readable() { co_return Result<>{}; }

    /// Writes at least one byte of a sequence that is not empty. Errors: as for `read_some`.
    virtual Task<Result<std::size_t>> write_some(std::span<const asio::const_buffer> from) = 0;

    /// As `write_some`, as far as that goes without waiting. None: there is no room now, or it cannot be known.
    virtual std::optional<Result<std::size_t>> write_now(std::span<const asio::const_buffer> /*from*/)
    {
        return std::nullopt;
    }

    /// No more will be written: FIN, or close_notify. Reading goes on. Never waits.
    virtual void end_writing() noexcept = 0;

    /// Ends both directions; waiting calls fail with `closed`. `reset`: the other side sees a reset (RST), not an end.
    virtual void close(bool reset = false) noexcept = 0;

    /// Every wait that has not ended at that moment fails with `timed_out`, and those after it too, until it is moved.
    virtual void expire_at(std::chrono::steady_clock::time_point at) = 0;
    void expire_after(std::chrono::steady_clock::duration limit)
    {
        expire_at(std::chrono::steady_clock::now() + limit);
    }

    /// What waits at that moment fails with `closed`; nothing was lost, and the next call works as ever. A stream that
    /// cannot do that (TLS: a record may be half read) does nothing; its deadline still holds.
    virtual void cancel() noexcept {}

    /// Nothing has come that was not read, and no end, as far as is known without waiting.
    virtual bool is_quiet() noexcept { return true; }

    /// The same connection for the thread of `wheel`, which calls this while nothing waits here and nobody else calls.
    /// What stays behind ends on its own thread. Null: it cannot be moved, and nothing has changed.
    virtual std::unique_ptr<Stream> move_to(DeadlineWheel& /*wheel*/) { return nullptr; }

    /// The socket itself when bytes pass through it unchanged (so splice may be used), else -1.
    virtual int plain_socket() const noexcept { return -1; }
};

/// Writes all of it, in as few calls as the stream allows. Errors: of `write_some`.
Task<Result<>> write_all(Stream& stream, std::span<const asio::const_buffer> from);
Task<Result<>> write_all(Stream& stream, asio::const_buffer from);

/// The same for the usual case, in which nothing has to be waited for, and no coroutine is needed: writes what goes at
/// once. Returns how many bytes are left for `write_rest`, which is called only when there are any, and tells errors.
std::size_t write_at_once(Stream& stream, std::span<const asio::const_buffer> from);
Task<Result<>> write_rest(Stream& stream, std::span<const asio::const_buffer> from, std::size_t left);

} // namespace gw
