#include "gateway/base/socket_stream.h"

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <sys/uio.h>

namespace gw {

namespace {

constexpr std::size_t most_pieces = 64; // of one write

bool is_wait(int number) { return number == EAGAIN || number == EWOULDBLOCK; }

boost::system::error_code code_of(int number) { return {number, boost::system::system_category()}; }

ssize_t send_now(int socket, std::span<const asio::const_buffer> from)
{
    constexpr int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    if (from.size() == 1) return ::send(socket, from[0].data(), from[0].size(), flags);
    std::array<iovec, most_pieces> pieces;
    const auto count = std::min(from.size(), pieces.size());
    for (std::size_t i = 0; i < count; ++i) pieces[i] = {const_cast<void*>(from[i].data()), from[i].size()};
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    return ::sendmsg(socket, &message, flags);
}

} // namespace

SocketStream::SocketStream(Descriptor socket, Side side, DeadlineWheel& wheel)
    : watched_(wheel.poller(), std::move(socket)), side_(side),
      deadline_(
          wheel,
          [](void* self) noexcept {
              auto& stream = *static_cast<SocketStream*>(self);
              stream.expired_ = true;
              stream.watched_.abort();
          },
          this)
{}

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

Task<boost::system::error_code> SocketStream::connect(const sockaddr_storage& to, socklen_t length)
{
    const int socket = watched_.number();
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&to), length) == 0) co_return boost::system::error_code{};
    if (errno != EINPROGRESS) co_return code_of(errno);
    auto outcome = co_await watched_.writable();
    auto& [failed] = outcome;
    if (failed || !watched_.hung_up()) co_return failed;
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
    co_return code_of(error);
}

std::optional<Error> SocketStream::failure(const char* what) const
{
    if (expired_) return Error{Fault::timed_out, side_, what};
    if (!watched_.is_open()) return Error{Fault::closed, side_, what};
    return std::nullopt;
}

std::optional<Result<std::size_t>> SocketStream::read_now(asio::mutable_buffer into)
{
    if (auto failed = failure("read")) return std::move(*failed);
    if (ended_) return std::size_t{0}; // nobody tells it a second time
    while (watched_.maybe_readable()) {
        const auto count = ::recv(watched_.number(), into.data(), into.size(), MSG_DONTWAIT);
        if (count >= 0) {
            ended_ = count == 0;
            if (static_cast<std::size_t>(count) < into.size()) watched_.found_less();
            return static_cast<std::size_t>(count);
        }
        if (is_wait(errno))
            watched_.found_empty();
        else if (errno != EINTR)
            return error_from(code_of(errno), "read");
    }
    return std::nullopt;
}

Task<Result<std::size_t>> SocketStream::read_some(asio::mutable_buffer into)
{
    for (;;) {
        auto now = read_now(into);
        if (now) co_return std::move(*now);
        auto outcome = co_await watched_.readable();
        auto& [failed] = outcome;
        if (failed) co_return error_from(failed, "read");
    }
}

std::optional<Result<std::size_t>> SocketStream::write_now(std::span<const asio::const_buffer> from)
{
    if (auto failed = failure("write")) return std::move(*failed);
    while (watched_.maybe_writable()) {
        const auto sent = send_now(watched_.number(), from);
        if (sent >= 0) return static_cast<std::size_t>(sent);
        if (is_wait(errno))
            watched_.found_full();
        else if (errno != EINTR)
            return error_from(code_of(errno), "write");
    }
    return std::nullopt;
}

Task<Result<std::size_t>> SocketStream::write_some(std::span<const asio::const_buffer> from)
{
    for (;;) {
        auto now = write_now(from);
        if (now) co_return std::move(*now);
        auto outcome = co_await watched_.writable();
        auto& [failed] = outcome;
        if (failed) co_return error_from(failed, "write");
    }
}

void SocketStream::end_writing() noexcept { ::shutdown(watched_.number(), SHUT_WR); }

void SocketStream::close(bool reset) noexcept
{
    deadline_.disarm();
    if (!watched_.is_open()) return;
    const linger at_once{1, 0};
    if (reset) ::setsockopt(watched_.number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    watched_.close();
}

void SocketStream::expire_at(std::chrono::steady_clock::time_point at)
{
    expired_ = false;
    deadline_.expire_at(at);
}

bool SocketStream::is_quiet() noexcept
{
    if (ended_) return false;
    if (!watched_.maybe_readable()) return true;
    char byte{};
    if (::recv(watched_.number(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || !is_wait(errno)) return false;
    watched_.found_empty();
    return true;
}

/// What this one knows to be empty the new one does not: it asks the kernel.
std::unique_ptr<Stream> SocketStream::move_to(DeadlineWheel& wheel)
{
    if (ended_ || !watched_.is_open()) return nullptr;
    return std::make_unique<SocketStream>(watched_.give_up(), side_, wheel);
}

Task<Result<>> SocketStream::wait_readable()
{
    if (expired_) co_return Error{Fault::timed_out, side_, "wait"};
    if (ended_ || !is_quiet()) co_return Result<>{};
    auto outcome = co_await watched_.readable();
    auto& [failed] = outcome;
    if (failed) co_return error_from(failed, "wait");
    co_return Result<>{};
}

} // namespace gw
