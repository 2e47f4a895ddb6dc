#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/task.h"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
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
    drain = 4,   ///< keeper: accept nothing more, end when the last connection has ended; text: `drain_gently` or none
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

    /// Errors: `closed` when the other end has gone; `malformed`; `system`; `too_large` for a text over the limit, of
    /// which nothing was sent then.
    Task<Result<Message>> receive();
    Task<Result<>> send(Message message);
    void close();

    /// A pair to be split between two processes; close on exec. Errors: `system`.
    static Result<std::pair<Descriptor, Descriptor>> make_pair();

private:
    using Socket = asio::generic::stream_protocol::socket;
    Task<Result<>> send_part(const char* data, std::size_t size, std::span<const int> descriptors);
    Task<Result<>> receive_part(char* data, std::size_t size, std::vector<Descriptor>* descriptors);

    Socket socket_;
    asio::steady_timer sending_; // a sender in line waits for its cancellation
    bool busy_ = false;
};

} // namespace gw::link
