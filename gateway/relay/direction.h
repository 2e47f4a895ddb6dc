#pragma once

#include "gateway/base/buffer.h"
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

/// What one direction has moved, and where that is counted.
struct Moved {
    std::uint64_t& bytes;
    std::uint64_t& spliced_bytes;
    std::chrono::steady_clock::time_point* first_at = nullptr; ///< set once, then null
};

/// One way of a relay, and what is under way in it.
class Way {
public:
    /// What is in `buffer` goes first.
    Way(Ends& ends, Buffer& buffer, Moved moved) : ends_(ends), buffer_(buffer), moved_(moved) {}

protected:
    void count(std::size_t bytes);
    /// The sender has ended, and all it sent was passed on.
    void end(Stream& to);

    Ends& ends_;
    Buffer& buffer_;
    Moved moved_;
};

/// Between streams of any kind: a coroutine, which copies.
class Direction : Way {
public:
    Direction(Ends& ends, Stream& from, Stream& to, Buffer& buffer, Moved moved)
        : Way(ends, buffer, moved), from_(from), to_(to)
    {}

    /// Until `from` ended (then `to` is told) or anything failed (then `ends` knows).
    Task<> run();

private:
    Task<Result<>> write_out();

    Stream& from_;
    Stream& to_;
};

/// Between plain sockets: never waits itself, so one coroutine serves both ways, and an idle one holds no memory. Small
/// messages are copied, long runs go through a pipe.
class SocketDirection : Way {
public:
    /// `from` fails as `from_side`, `to` as `to_side`.
    SocketDirection(Ends& ends, SocketStream& from, Side from_side, SocketStream& to, Side to_side, Buffer& buffer,
                    Moved moved)
        : Way(ends, buffer, moved), from_(from), to_(to), from_side_(from_side), to_side_(to_side)
    {}

    /// Moves what can be moved now. False: there may be more, and others had better have their turn first. True: it
    /// waits for one of the sockets, or has ended.
    bool step();
    bool ended() const { return ended_; }

private:
    enum class Outcome { moved, waits, ended };

    Outcome copy();
    Outcome splice();
    Outcome write_out();
    Outcome drain();
    Outcome failed(Error error);

    SocketStream& from_;
    SocketStream& to_;
    Side from_side_;
    Side to_side_;
    std::optional<Pipe> pipe_{}; // with bytes in it
    std::size_t copied_ = 0;     // since it last spliced
    int small_pieces_ = 0;       // in a row
    bool splices_ = false;
    bool may_splice_ = true;
    bool ended_ = false;
};

} // namespace gw::relay
