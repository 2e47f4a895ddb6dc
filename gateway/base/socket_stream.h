#pragma once

#include "gateway/base/deadline.h"
#include "gateway/base/stream.h"

#include <boost/asio/generic/stream_protocol.hpp>

namespace gw {

/// A connected stream socket (TCP or Unix). Reading is Asio's own: no epoll_ctl, no allocation once the thread's caches
/// are warm. Writing tries the kernel first and waits only when it has no room.
class SocketStream final : public Stream {
public:
    using Socket = asio::generic::stream_protocol::socket;

    /// Takes a connected, non-blocking socket of this thread's io_context.
    SocketStream(Socket socket, Side side, DeadlineWheel& wheel);

    Task<Result<std::size_t>> read_some(asio::mutable_buffer into) override;
    Task<Result<std::size_t>> write_some(std::span<const asio::const_buffer> from) override;
    void end_writing() noexcept override;
    void close(bool reset = false) noexcept override;
    void expire_at(std::chrono::steady_clock::time_point at) override;
    void cancel() noexcept override;
    int plain_socket() const noexcept override { return descriptor_; }

    /// Waits until there is something to read (or the end), reading nothing. For splice and idle connections.
    Task<Result<>> wait_readable();
    Task<Result<>> wait_writable();

private:
    ssize_t send_now(std::span<const asio::const_buffer> from) const noexcept;
    Error error_from(boost::system::error_code failed, const char* what) const;

    Socket socket_;
    Side side_;
    int descriptor_;
    bool expired_ = false;
    bool ended_ = false; // the other side will send no more
    Deadline deadline_;
};

} // namespace gw
