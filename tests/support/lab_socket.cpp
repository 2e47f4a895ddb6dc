#include "tests/support/lab_socket.h"

#include <array>
#include <cerrno>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

namespace gw::lab {

namespace {

bool ready(int socket, short events, Milliseconds limit)
{
    pollfd wait{socket, events, 0};
    return ::poll(&wait, 1, static_cast<int>(limit.count())) > 0;
}

} // namespace

Endpoint Socket::name() const
{
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    ::getsockname(number(), reinterpret_cast<sockaddr*>(&address), &size);
    return from_sockaddr(address);
}

bool Socket::sends(std::string_view bytes)
{
    while (!bytes.empty()) {
        if (!ready(number(), POLLOUT, patience_)) {
            ADD_FAILURE() << "nobody took " << bytes.size() << " bytes in time";
            return false;
        }
        const auto count = ::send(number(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno == EAGAIN) continue;
        if (count < 0) {
            error_ = errno;
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

bool Socket::sends_byte_by_byte(std::string_view bytes)
{
    const int on = 1;
    ::setsockopt(number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (std::size_t at = 0; at < bytes.size(); ++at)
        if (!sends(bytes.substr(at, 1))) return false;
    return true;
}

std::size_t Socket::sends_until_stuck(std::size_t limit_bytes)
{
    const std::string block(64 * 1024, 'x');
    std::size_t sent = 0;
    while (sent < limit_bytes && ready(number(), POLLOUT, Milliseconds{500})) {
        const auto count = ::send(number(), block.data(), block.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno != EAGAIN) break;
        if (count > 0) sent += static_cast<std::size_t>(count);
    }
    return sent;
}

// Reads once, if nothing ended the stream yet. False: no more will come (or not within `limit`).
bool Socket::fill(std::size_t want, Milliseconds limit, bool failing)
{
    if (ended_ || !connected()) return false;
    if (!ready(number(), POLLIN, limit)) {
        if (failing)
            ADD_FAILURE() << "nothing came in time; so far " << waiting_.size()
                          << " bytes: " << waiting_.substr(0, 300);
        return false;
    }
    std::array<char, 65536> bytes;
    const auto count = ::recv(number(), bytes.data(), std::min(want, bytes.size()), 0);
    if (count < 0) error_ = errno;
    if (count <= 0) ended_ = true;
    if (count > 0) waiting_.append(bytes.data(), static_cast<std::size_t>(count));
    return count > 0;
}

std::string Socket::receives_until(std::string_view mark)
{
    std::size_t found = 0;
    while ((found = waiting_.find(mark)) == std::string::npos)
        if (!fill(65536, patience_, true)) return std::exchange(waiting_, {});
    auto taken = waiting_.substr(0, found + mark.size());
    waiting_.erase(0, taken.size());
    return taken;
}

std::string Socket::receives(std::size_t count)
{
    while (waiting_.size() < count)
        if (!fill(count - waiting_.size(), patience_, true)) break;
    auto taken = waiting_.substr(0, count);
    waiting_.erase(0, taken.size());
    return taken;
}

std::string Socket::receives_all()
{
    while (fill(65536, patience_, true)) {
    }
    return std::exchange(waiting_, {});
}

std::string Socket::receives_within(Milliseconds limit)
{
    if (waiting_.empty()) fill(65536, limit, false);
    return std::exchange(waiting_, {});
}

bool Socket::was_reset() const { return error_ == ECONNRESET || error_ == EPIPE; }

void Socket::ends_writing() { ::shutdown(number(), SHUT_WR); }

void Socket::resets()
{
    const linger at_once{1, 0};
    ::setsockopt(number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    descriptor_.reset();
}

void Socket::reads_at_most(int receive_buffer_bytes)
{
    ::setsockopt(number(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
}

} // namespace gw::lab
