#pragma once

#include "gateway/base/socket_stream.h"
#include "gateway/relay/pipe.h"
#include "gateway/relay/relay.h"

#include <chrono>
#include <optional>

namespace gw::relay {

/// What the two directions of one relay share: the streams, the idle limit, and how it ends.
struct Ends {
    Stream& client;
    Stream& upstream;
    const Settings& settings;
    std::optional<Error> failure{}; ///< the first; both streams are closed then
    bool one_ended = false;

    /// Something moved: the idle limit begins anew. Two stores.
    void progress();
    void fail(Error error);
};

/// One way of a relay. For plain sockets: small messages through a small buffer, more through a large one that lives
/// only while it is filled, and long runs through a pipe. An idle direction so holds `idle_bytes` and nothing else.
class Direction {
public:
    /// What is in `buffer` goes first. `from` fails as `from_side`, `to` as `to_side`.
    Direction(Ends& ends, Stream& from, Side from_side, Stream& to, Side to_side, Buffer& buffer,
              std::uint64_t& moved_bytes, std::uint64_t& spliced_bytes,
              std::chrono::steady_clock::time_point* first_moved_at = nullptr);

    /// Until `from` ended (then `to` is told) or anything failed (then `ends` knows).
    Task<> run();

private:
    enum class Stop { end, busy, quiet };
    static constexpr std::size_t idle_bytes = 512;

    Task<Result<>> move_all();
    Task<Result<Stop>> copy();
    Task<Result<Stop>> splice();
    Task<Result<>> write_out();
    Task<Result<>> drain(Pipe& pipe);
    void read_on();
    void count(std::size_t bytes);

    Ends& ends_;
    Stream& from_;
    Stream& to_;
    Side from_side_;
    Side to_side_;
    Buffer& buffer_;
    std::uint64_t& moved_bytes_;
    std::uint64_t& spliced_bytes_;
    std::chrono::steady_clock::time_point* first_moved_at_; // set once, then null
    SocketStream* from_socket_;                             // both or none
    SocketStream* to_socket_;
    bool may_splice_;
    std::optional<Error> read_failure_{}; // met by reading on; what was read before goes first
};

} // namespace gw::relay
