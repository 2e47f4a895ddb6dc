#include "gateway/base/socket_stream.h"

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <sys/socket.h>
#include <sys/uio.h>

namespace gw {

namespace {

constexpr std::size_t most_pieces = 64; // of one write; as many as Asio takes

} // namespace

SocketStream::SocketStream(Socket socket, Side side, DeadlineWheel& wheel)
    : socket_(std::move(socket)), side_(side), descriptor_(socket_.native_handle()),
      deadline_(
          wheel,
          [](void* self) noexcept {
              auto& stream = *static_cast<SocketStream*>(self);
              stream.expired_ = true;
              boost::system::error_code ignored;
              stream.socket_.cancel(ignored);
          },
          this)
{
    boost::system::error_code ignored;
    if (!socket_.native_non_blocking()) socket_.native_non_blocking(true, ignored);
}

Error SocketStream::error_from(boost::system::error_code failed, const char* what) const
{
    if (expired_) return Error{Fault::timed_out, side_, what};
    if (failed == asio::error::operation_aborted || failed == asio::error::bad_descriptor)
        return Error{Fault::closed, side_, what};
    if (failed == asio::error::connection_reset || failed == asio::error::broken_pipe ||
        failed == asio::error::connection_aborted)
        return Error{Fault::closed, side_, what, failed};
    if (failed == asio::error::timed_out) return Error{Fault::timed_out, side_, what, failed};
    return Error{Fault::system, side_, what, failed};
}

Task<Result<std::size_t>> SocketStream::read_some(asio::mutable_buffer into)
{
    if (expired_) co_return Error{Fault::timed_out, side_, "read"};
    // The end is told once by an edge-triggered poller: who asks again would wait for a second edge for ever.
    if (ended_) co_return std::size_t{0};
    auto outcome = co_await socket_.async_read_some(into, as_outcome);
    auto& [failed, count] = outcome;
    if (failed == asio::error::eof) {
        ended_ = true;
        co_return std::size_t{0};
    }
    if (failed) co_return error_from(failed, "read");
    co_return count;
}

/// What the kernel takes right away, which is nearly always everything: no turn of the loop, no operation to wait with.
/// 0 or less: none of it; asking again, through Asio, tells why.
ssize_t SocketStream::send_now(std::span<const asio::const_buffer> from) const noexcept
{
    std::array<iovec, most_pieces> pieces;
    const auto count = std::min(from.size(), pieces.size());
    for (std::size_t i = 0; i < count; ++i) pieces[i] = {const_cast<void*>(from[i].data()), from[i].size()};
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    return ::sendmsg(descriptor_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

Task<Result<std::size_t>> SocketStream::write_some(std::span<const asio::const_buffer> from)
{
    if (expired_) co_return Error{Fault::timed_out, side_, "write"};
    const auto sent = send_now(from);
    if (sent > 0) co_return static_cast<std::size_t>(sent);
    auto outcome = co_await socket_.async_write_some(from, as_outcome);
    auto& [failed, count] = outcome;
    if (failed) co_return error_from(failed, "write");
    co_return count;
}

void SocketStream::end_writing() noexcept
{
    boost::system::error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
}

void SocketStream::close(bool reset) noexcept
{
    deadline_.disarm();
    if (!socket_.is_open()) return;
    boost::system::error_code ignored;
    if (reset) socket_.set_option(asio::socket_base::linger(true, 0), ignored);
    socket_.close(ignored);
    descriptor_ = -1;
}

void SocketStream::expire_at(std::chrono::steady_clock::time_point at)
{
    expired_ = false;
    deadline_.expire_at(at);
}

void SocketStream::cancel() noexcept
{
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

Task<Result<>> SocketStream::wait_readable()
{
    if (expired_) co_return Error{Fault::timed_out, side_, "wait"};
    if (ended_) co_return Result<>{};
    auto outcome = co_await socket_.async_wait(Socket::wait_read, as_outcome);
    auto& [failed] = outcome;
    if (failed) co_return error_from(failed, "wait");
    co_return Result<>{};
}

Task<Result<>> SocketStream::wait_writable()
{
    if (expired_) co_return Error{Fault::timed_out, side_, "wait"};
    auto outcome = co_await socket_.async_wait(Socket::wait_write, as_outcome);
    auto& [failed] = outcome;
    if (failed) co_return error_from(failed, "wait");
    co_return Result<>{};
}

} // namespace gw
