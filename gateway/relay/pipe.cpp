#include "gateway/relay/pipe.h"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <utility>
#include <vector>

namespace gw::relay {

namespace {

// What an unprivileged process gets once its user has used up fs.pipe-user-pages-soft is a pipe of two pages.
constexpr std::size_t least_size_bytes = 64 * 1024;

// Never SPLICE_F_MORE: it holds back the last piece for 200 ms like TCP_CORK.
constexpr unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

/// splice(2) into a socket that was shut raises SIGPIPE, and there is no flag against it.
bool ignore_sigpipe() noexcept
{
    struct sigaction now {};
    if (::sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) std::signal(SIGPIPE, SIG_IGN);
    return true;
}

} // namespace

struct Pipe::Pool {
    std::vector<Ends> idle;

    static Pool& of_this_thread()
    {
        static thread_local Pool pool;
        return pool;
    }
};

std::optional<Pipe> Pipe::take(std::size_t size_bytes)
{
    static const bool ignored = ignore_sigpipe();
    (void)ignored;
    auto& idle = Pool::of_this_thread().idle;
    if (!idle.empty()) {
        Pipe lent{std::move(idle.back())};
        idle.pop_back();
        return lent;
    }
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return std::nullopt;
    Ends made{Descriptor{ends[0]}, Descriptor{ends[1]}, 0};
    // Past fs.pipe-user-pages-soft, a smaller one may still be had.
    for (std::size_t want = size_bytes; want > least_size_bytes; want /= 4)
        if (::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(want)) >= 0) break;
    const int size = ::fcntl(ends[1], F_GETPIPE_SZ);
    if (size < static_cast<int>(least_size_bytes)) return std::nullopt;
    made.size_bytes = static_cast<std::size_t>(size);
    return Pipe{std::move(made)};
}

Pipe::~Pipe()
{
    if (!ends_.in.is_open() || !empty()) return;
    auto& idle = Pool::of_this_thread().idle;
    if (idle.size() < max_idle_pipes) idle.push_back(std::move(ends_));
}

ssize_t Pipe::fill_from(int socket, std::size_t most_bytes) noexcept
{
    const auto count =
        ::splice(socket, nullptr, ends_.in.number(), nullptr, std::min(ends_.size_bytes, most_bytes), flags);
    if (count > 0) held_ += static_cast<std::size_t>(count);
    return count;
}

ssize_t Pipe::drain_to(int socket) noexcept
{
    const auto count = ::splice(ends_.out.number(), nullptr, socket, nullptr, held_, flags);
    if (count > 0) held_ -= static_cast<std::size_t>(count);
    return count;
}

} // namespace gw::relay
