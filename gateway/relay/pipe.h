#pragma once

#include "gateway/base/descriptor.h"

#include <cstddef>
#include <optional>
#include <sys/types.h>

namespace gw::relay {

/// Idle pipes a thread keeps. More are in use only while that many receivers are stuck with bytes under way to them. Of
/// the largest ones, that is an eighth of what a user may have (fs.pipe-user-pages-soft): other threads need some, too.
inline constexpr std::size_t max_idle_pipes = 8;

/// A pipe that bytes pass from socket to socket through, without being copied into this process. Lent by a pool of the
/// thread, and given back when it is destroyed empty; with bytes in it, it is closed.
class Pipe {
public:
    /// Nothing when there are no descriptors or pipe pages left, or only for a pipe too small to be worth it.
    static std::optional<Pipe> take(std::size_t size_bytes);
    Pipe(Pipe&&) noexcept = default;
    Pipe& operator=(Pipe&&) = delete;
    ~Pipe();

    /// Moves what `socket` has into the pipe, at most `most_bytes`, as splice(2) does: bytes, 0 at the end of the
    /// stream, or -1 and `errno`. The pipe must be empty: EAGAIN then is the socket's.
    ssize_t fill_from(int socket, std::size_t most_bytes) noexcept;
    /// Moves what the pipe has into `socket`: bytes, or -1 and `errno`.
    ssize_t drain_to(int socket) noexcept;
    bool empty() const noexcept { return held_ == 0; }

private:
    struct Ends {
        Descriptor out;
        Descriptor in;
        std::size_t size_bytes = 0;
    };
    struct Pool;
    explicit Pipe(Ends ends) noexcept : ends_(std::move(ends)) {}

    Ends ends_;
    std::size_t held_ = 0;
};

} // namespace gw::relay
