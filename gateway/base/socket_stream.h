#pragma once

#include "gateway/base/deadline.h"
#include "gateway/base/poller.h"
#include "gateway/base/stream.h"

#include <optional>
#include <span>
#include <sys/socket.h>

namespace gw {

/// A connected stream socket (TCP or Unix). Reading and writing ask the kernel at once, and wait only when it has
/// nothing to give or no room; what the poller knows to be empty is not asked. No allocation once the thread's caches
/// are warm.
class SocketStream final : public Stream {
public:
    /// Takes a non-blocking socket, connected or to be connected by `connect`.
    SocketStream(Descriptor socket, Side side, DeadlineWheel& wheel);

    /// connect(2). Errors as the kernel gives them; `operation_aborted`: the deadline came first, or `close`.
    Task<boost::system::error_code> connect(const sockaddr_storage& to, socklen_t length);

    Task<Result<std::size_t>> read_some(asio::mutable_buffer into) override;
    std::optional<Result<std::size_t>> read_now(asio::mutable_buffer into) override;
    Task<Result<std::size_t>> write_some(std::span<const asio::const_buffer> from) override;
    std::optional<Result<std::size_t>> write_now(std::span<const asio::const_buffer> from) override;
    void end_writing() noexcept override;
    void close(bool reset = false) noexcept override;
    void expire_at(std::chrono::steady_clock::time_point at) override;
    void cancel() noexcept override { watched_.abort(); }
    /// Asks the kernel only when it was not asked before.
    bool is_quiet() noexcept override;
    int plain_socket() const noexcept override { return watched_.number(); }
    std::unique_ptr<Stream> move_to(DeadlineWheel& wheel) override;

    Task<Result<>> wait_readable() override;
    /// As `wait_readable`, for who has no coroutine to wait in; only while `is_quiet` and nothing has failed. `then` is
    /// called once, later: without an error when there is something to read, or the end.
    void when_readable(Watched::Waiter then) { watched_.when_readable(std::move(then)); }
    /// For those who wait for several streams at once, and read and write the socket themselves.
    Watched& watched() noexcept { return watched_; }
    /// Why nothing can be read or written any more: the deadline has passed (`timed_out`), or it is closed.
    std::optional<Error> failure(const char* what) const;

private:
    Error error_from(boost::system::error_code failed, const char* what) const;

    Watched watched_;
    Side side_;
    bool expired_ = false;
    bool ended_ = false; // the other side will send no more
    Deadline deadline_;
};

} // namespace gw
