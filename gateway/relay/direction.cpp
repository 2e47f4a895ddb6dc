#include "gateway/relay/direction.h"

#include "gateway/relay/splice.h"

#include <boost/asio/error.hpp>
#include <chrono>
#include <utility>

namespace gw::relay {

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
    while (!pipe_->empty()) {
        const auto drained = drain_now(*pipe_, to_, to_side_);
        if (!drained) return Outcome::waits;
        if (!*drained) return failed(drained->error());
        count(**drained);
        moved_.spliced_bytes += **drained;
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
    const auto filled = fill_now(*pipe, from_, from_side_, SIZE_MAX);
    if (!filled) return Outcome::waits;
    if (!*filled && filled->error().cause == asio::error::invalid_argument) { // a kind of socket that cannot
        may_splice_ = splices_ = false;
        return Outcome::moved;
    }
    if (!*filled) return failed(filled->error());
    if (**filled == 0) return Outcome::ended;
    small_pieces_ = **filled < small_piece_bytes ? small_pieces_ + 1 : 0;
    pipe_.emplace(std::move(*pipe));
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
