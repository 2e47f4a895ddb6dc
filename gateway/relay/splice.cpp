#include "gateway/relay/splice.h"

#include <cerrno>

namespace gw::relay {

namespace {

bool is_wait(int number) { return number == EAGAIN || number == EWOULDBLOCK; }

/// `errno` after a failed system call on a plain socket, in the words of its stream.
Error error_of(int number, Side side, const char* what)
{
    const boost::system::error_code cause{number, boost::system::system_category()};
    if (number == ECONNRESET || number == EPIPE || number == EBADF) return {Fault::closed, side, what, cause};
    if (number == ETIMEDOUT) return {Fault::timed_out, side, what, cause};
    return {Fault::system, side, what, cause};
}

} // namespace

SocketStream* socket_of(Stream& stream)
{
    return stream.plain_socket() >= 0 ? dynamic_cast<SocketStream*>(&stream) : nullptr;
}

std::optional<Result<std::size_t>> fill_now(Pipe& pipe, SocketStream& from, Side side, std::size_t most_bytes)
{
    if (auto gone = from.failure("read")) return std::move(*gone);
    while (from.watched().maybe_readable()) {
        const auto filled = pipe.fill_from(from.plain_socket(), most_bytes);
        if (filled >= 0) return static_cast<std::size_t>(filled);
        if (is_wait(errno))
            from.watched().found_empty();
        else if (errno != EINTR)
            return error_of(errno, side, "read");
    }
    return std::nullopt;
}

std::optional<Result<std::size_t>> drain_now(Pipe& pipe, SocketStream& to, Side side)
{
    if (auto gone = to.failure("write")) return std::move(*gone);
    while (to.watched().maybe_writable()) {
        const auto drained = pipe.drain_to(to.plain_socket());
        if (drained > 0) return static_cast<std::size_t>(drained);
        if (drained < 0 && is_wait(errno))
            to.watched().found_full();
        else if (drained < 0 && errno != EINTR)
            return error_of(errno, side, "write");
    }
    return std::nullopt;
}

} // namespace gw::relay
