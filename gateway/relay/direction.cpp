#include "gateway/relay/direction.h"

#include <cerrno>
#include <chrono>
#include <sys/socket.h>
#include <utility>

namespace gw::relay {

namespace {

/// A direction leaves the thread to others after that much.
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

void Way::count(std::size_t bytes)
{
    moved_.bytes += bytes;
    if (moved_.first_at != nullptr) *std::exchange(moved_.first_at, nullptr) = std::chrono::steady_clock::now();
    ends_.progress();
}

void Way::end(Stream& to)
{
    to.end_writing();
    ends_.one_ended = true;
    ends_.progress();
}

// --- streams of any kind

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

Task<> Direction::run()
{
    for (;;) {
        const auto written = co_await write_out();
        if (!written) {
            ends_.fail(written.error());
            break;
        }
        const auto into = buffer_.prepare(ends_.settings.buffer_bytes);
        const auto read = co_await from_.read_some(into);
        if (!read) ends_.fail(read.error());
        if (!read || ends_.failure) break;
        if (*read == 0) {
            end(to_);
            break;
        }
        buffer_.commit(*read);
    }
    buffer_.release_if_empty();
}

// --- plain sockets

SocketDirection::Outcome SocketDirection::failed(Error error)
{
    ends_.fail(std::move(error));
    return Outcome::ended;
}

/// All that is in the buffer.
SocketDirection::Outcome SocketDirection::write_out()
{
    while (!buffer_.empty()) {
        const auto view = buffer_.view();
        const asio::const_buffer all{view.data(), view.size()};
        const auto written = to_.write_now({&all, 1});
        if (!written) return Outcome::waits;
        if (!*written) return failed(written->error());
        count(**written);
        buffer_.consume(**written);
    }
    return Outcome::moved;
}

SocketDirection::Outcome SocketDirection::copy()
{
    const auto into = buffer_.prepare(ends_.settings.buffer_bytes);
    const auto read = from_.read_now(into);
    if (!read) return Outcome::waits;
    if (!*read) return failed(read->error());
    if (**read == 0) return Outcome::ended;
    buffer_.commit(**read);
    copied_ += **read;
    splices_ = may_splice_ && copied_ >= ends_.settings.splice_after_bytes && **read == into.size();
    small_pieces_ = 0;
    return Outcome::moved;
}

/// All that is in the pipe.
SocketDirection::Outcome SocketDirection::drain()
{
    if (auto gone = to_.failure("write")) return failed(std::move(*gone));
    while (pipe_ && !pipe_->empty()) {
        if (!to_.watched().maybe_writable()) return Outcome::waits;
        const auto drained = pipe_->drain_to(to_.plain_socket());
        if (drained > 0) {
            count(static_cast<std::size_t>(drained));
            moved_.spliced_bytes += static_cast<std::size_t>(drained);
        } else if (drained < 0 && is_wait(errno)) {
            to_.watched().found_full();
        } else if (drained < 0 && errno != EINTR) {
            return failed(error_of(errno, to_side_, "write"));
        }
    }
    pipe_.reset();
    return Outcome::moved;
}

SocketDirection::Outcome SocketDirection::splice()
{
    if (auto gone = from_.failure("read")) return failed(std::move(*gone));
    if (small_pieces_ >= quiet_after_pieces) {
        splices_ = false;
        copied_ = 0;
        return Outcome::moved;
    }
    if (!from_.watched().maybe_readable()) return Outcome::waits;
    // Taken for each piece: a direction that waits for its sender needs no pipe.
    auto pipe = Pipe::take(ends_.settings.pipe_bytes);
    splices_ = pipe.has_value();
    if (!splices_) return Outcome::moved;
    pipe_.emplace(std::move(*pipe));
    const auto filled = pipe_->fill_from(from_.plain_socket());
    if (filled > 0) {
        small_pieces_ = static_cast<std::size_t>(filled) < small_piece_bytes ? small_pieces_ + 1 : 0;
        return Outcome::moved;
    }
    const int number = errno;
    pipe_.reset();
    if (filled == 0) return Outcome::ended;
    if (is_wait(number)) {
        from_.watched().found_empty();
        return Outcome::waits;
    }
    if (number == EINVAL) // a kind of socket that cannot
        may_splice_ = splices_ = false;
    else if (number != EINTR)
        return failed(error_of(number, from_side_, "read"));
    return Outcome::moved;
}

bool SocketDirection::step()
{
    const auto until = moved_.bytes + turn_bytes;
    while (!ended_) {
        auto outcome = pipe_ ? drain() : write_out();
        if (outcome == Outcome::moved && !pipe_) outcome = splices_ ? splice() : copy();
        if (outcome == Outcome::moved && moved_.bytes < until) continue;
        if (outcome == Outcome::moved) return false;
        buffer_.release_if_empty();
        if (outcome == Outcome::waits) return true;
        ended_ = true;
        if (!ends_.failure) end(to_);
    }
    return true;
}

} // namespace gw::relay
