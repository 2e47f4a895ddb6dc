#include "gateway/relay/direction.h"

#include <boost/asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <sys/socket.h>
#include <utility>

namespace gw::relay {

namespace {

/// A direction that splices leaves the thread to others after that much.
constexpr std::size_t turn_bytes = 1024 * 1024;

/// So many pieces of less than that in a row are no bulk: copying takes fewer system calls for them.
constexpr std::size_t small_piece_bytes = 4 * 1024;
constexpr int quiet_after_pieces = 8;

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

void Ends::progress()
{
    const auto limit = one_ended ? settings.half_closed_limit : settings.idle_limit;
    const auto at = std::chrono::steady_clock::now() + limit;
    client.expire_at(at);
    upstream.expire_at(at);
}

void Ends::fail(Error error)
{
    if (failure) return;
    // A deadline of ours, not a time limit of the kernel's: neither side did anything wrong.
    if (error.fault == Fault::timed_out && !error.cause) {
        error.side = Side::gateway;
        error.what = one_ended ? "idle, half closed" : "idle";
    }
    failure = std::move(error);
    client.close(true);
    upstream.close(true);
}

Direction::Direction(Ends& ends, Stream& from, Side from_side, Stream& to, Side to_side, Buffer& buffer,
                     std::uint64_t& moved_bytes, std::uint64_t& spliced_bytes,
                     std::chrono::steady_clock::time_point* first_moved_at)
    : ends_(ends), from_(from), to_(to), from_side_(from_side), to_side_(to_side), buffer_(buffer),
      moved_bytes_(moved_bytes), spliced_bytes_(spliced_bytes), first_moved_at_(first_moved_at),
      from_socket_(from.plain_socket() >= 0 ? dynamic_cast<SocketStream*>(&from) : nullptr),
      to_socket_(to.plain_socket() >= 0 ? dynamic_cast<SocketStream*>(&to) : nullptr),
      may_splice_(from_socket_ != nullptr && to_socket_ != nullptr)
{}

void Direction::count(std::size_t bytes)
{
    moved_bytes_ += bytes;
    if (first_moved_at_ != nullptr) *std::exchange(first_moved_at_, nullptr) = std::chrono::steady_clock::now();
    ends_.progress();
}

/// All that is in the buffer.
Task<Result<>> Direction::write_out()
{
    while (!buffer_.empty()) {
        const auto view = buffer_.view();
        const asio::const_buffer all{view.data(), view.size()};
        const auto written = co_await to_.write_some({&all, 1});
        if (!written) co_return written.error();
        count(*written);
        buffer_.consume(*written);
    }
    co_return Result<>{};
}

/// The buffer of an idle direction was filled: reads what else is there.
void Direction::read_on()
{
    if (buffer_.size() >= ends_.settings.buffer_bytes) return;
    const auto into = buffer_.prepare(ends_.settings.buffer_bytes - buffer_.size());
    const auto more = from_socket_->read_now(into);
    if (!more) return;
    if (*more)
        buffer_.commit(**more);
    else
        read_failure_ = more->error(); // the kernel says a reset once; asked again, it would look like an end
}

Task<Result<Direction::Stop>> Direction::copy()
{
    std::size_t copied = 0;
    for (;;) {
        // Another stream than a plain socket cannot be asked for what else it has right now.
        const auto into = buffer_.prepare(from_socket_ != nullptr ? idle_bytes : ends_.settings.buffer_bytes);
        const auto read = co_await from_.read_some(into);
        if (!read) co_return read.error();
        if (*read == 0) co_return Stop::end;
        buffer_.commit(*read);
        if (from_socket_ != nullptr && *read == into.size()) read_on();
        const auto bytes = buffer_.size();
        const auto written = co_await write_out();
        if (!written) co_return written.error();
        if (read_failure_) co_return *read_failure_;
        const bool is_full = bytes >= ends_.settings.buffer_bytes;
        if (from_socket_ != nullptr && bytes > idle_bytes && !is_full) buffer_.release_if_empty();
        copied += bytes;
        if (may_splice_ && copied >= ends_.settings.splice_after_bytes && is_full) co_return Stop::busy;
    }
}

Task<Result<>> Direction::drain(Pipe& pipe)
{
    while (!pipe.empty()) {
        const auto drained = pipe.drain_to(to_.plain_socket());
        if (drained > 0) {
            count(static_cast<std::size_t>(drained));
            spliced_bytes_ += static_cast<std::size_t>(drained);
            continue;
        }
        if (drained < 0 && errno == EINTR) continue;
        if (drained < 0 && !is_wait(errno)) co_return error_of(errno, to_side_, "write");
        const auto writable = co_await to_socket_->wait_writable();
        if (!writable) co_return writable.error();
    }
    co_return Result<>{};
}

Task<Result<Direction::Stop>> Direction::splice()
{
    int small_pieces = 0;
    std::size_t turn = 0;
    while (small_pieces < quiet_after_pieces) {
        // Taken for each piece: a direction that waits for its sender needs no pipe.
        auto pipe = Pipe::take(ends_.settings.pipe_bytes);
        if (!pipe) co_return Stop::quiet;
        const auto filled = pipe->fill_from(from_.plain_socket());
        if (filled == 0) co_return Stop::end;
        if (filled > 0) {
            const auto drained = co_await drain(*pipe);
            if (!drained) co_return drained.error();
            const auto bytes = static_cast<std::size_t>(filled);
            small_pieces = bytes < small_piece_bytes ? small_pieces + 1 : 0;
            turn += bytes;
            if (turn < turn_bytes) continue;
            co_await asio::post(asio::deferred);
        } else if (is_wait(errno)) {
            pipe.reset();
            from_socket_->found_empty();
            const auto readable = co_await from_socket_->wait_readable();
            if (!readable) co_return readable.error();
        } else if (errno == EINVAL) { // a kind of socket that cannot
            may_splice_ = false;
            break;
        } else if (errno != EINTR) {
            co_return error_of(errno, from_side_, "read");
        }
        turn = 0;
    }
    co_return Stop::quiet;
}

Task<Result<>> Direction::move_all()
{
    const auto written = co_await write_out();
    if (!written) co_return written.error();
    buffer_.release_if_empty();
    for (;;) {
        auto stopped = co_await copy();
        if (stopped && *stopped == Stop::busy) {
            buffer_.release_if_empty();
            stopped = co_await splice();
        }
        if (!stopped) co_return stopped.error();
        if (*stopped == Stop::end) co_return Result<>{};
    }
}

Task<> Direction::run()
{
    const auto moved = co_await move_all();
    buffer_.release_if_empty();
    if (!moved) {
        ends_.fail(moved.error());
    } else if (!ends_.failure) {
        to_.end_writing();
        ends_.one_ended = true;
        ends_.progress();
    }
}

} // namespace gw::relay
