#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/task.h"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw::link {

/// What keeper and data process say to each other, and a keeper to its successor. Everything crosses as text and
/// descriptors, so that neither depends on the other's memory, and one may be of a newer version: numbers stay as they
/// are.
enum class Kind : std::uint32_t {
    prepare = 0, ///< keeper: build this configuration; text: Order
    commit = 1,  ///< keeper: serve with what was prepared; text: Order (listening sockets), descriptors: new ones
    abandon = 2, ///< keeper: forget what was prepared
    ask = 3,     ///< keeper: a question of the control socket; text: request target
    drain = 4,   ///< keeper: accept nothing more, then answer; end when the last connection has ended; text:
                 ///< `drain_gently` or none; to a predecessor, which has a keeper's link, too: without text or answer
    done = 5,    ///< data: yes; text: the answer
    failed = 6,  ///< data: no; text: why
    beat = 7,    ///< keeper: does every worker still turn?
};
inline constexpr auto last_kind = Kind::beat;

/// Text of `drain`: connections that wait for their next request may make it.
inline constexpr std::string_view drain_gently = "gently";

/// Largest text of a message. A configuration of 10,000 routes has about 2 MB.
inline constexpr std::size_t max_text_bytes = 64 * 1024 * 1024;

struct Message {
    Kind kind = Kind::done;
    std::uint64_t number = 0; ///< an answer carries that of its question
    std::string text;
    std::vector<Descriptor> descriptors;
};

/// One end of the socket pair between keeper and data process. One reader; senders wait for each other.
class Link {
public:
    /// Takes a connected Unix stream socket.
    Link(asio::io_context& io, Descriptor socket);

    using Time = std::chrono::steady_clock::time_point;

    /// Errors: `closed` when the other end has gone; `malformed`; `system`. Descriptors for which this process had no
    /// room are left out.
    Task<Result<Message>> receive();
    /// Errors: `closed`, `system`; `too_large` for a text over the limit, of which nothing was sent then; `timed_out`
    /// when the other end has not taken it in by `until`: what was sent of it cannot be taken back, so the link is
    /// closed then, unless it was nothing.
    Task<Result<>> send(Message message, Time until = Time::max());
    void close();
    bool is_open() const { return socket_.is_open(); }
    /// Another descriptor of this end, for another process. Not open on error.
    Descriptor copy() const;

    /// A pair to be split between two processes; close on exec. Errors: `system`.
    static Result<std::pair<Descriptor, Descriptor>> make_pair();

private:
    using Socket = asio::generic::stream_protocol::socket;
    Task<Result<>> await_turn(Time until);
    Task<Result<>> send_part(const char* data, std::size_t size, std::span<const int> descriptors);
    Task<Result<>> await_room();
    Task<Result<>> send_all(const Message& message);
    Task<Result<>> receive_part(char* data, std::size_t size, std::vector<Descriptor>* descriptors);

    asio::io_context& io_;
    Socket socket_;
    std::list<asio::steady_timer> in_line_; // senders that wait for their turn, which comes as a cancellation
    bool busy_ = false;
    bool begun_ = false; // something of the message under way was sent
    Time until_{};       // for that message
};

} // namespace gw::link
