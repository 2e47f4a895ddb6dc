#include "gateway/proxy/splice_body.h"

#include "gateway/proxy/sender_wait.h"
#include "gateway/relay/settings.h"
#include "gateway/relay/splice.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

namespace gw::proxy {

namespace {

Side other_side(Side side) { return side == Side::client ? Side::upstream : Side::client; }

/// What is in the pipe. As long as the receiver takes some of it now and then, neither stream expires: a piece of a
/// whole pipe may take a slow one longer than the idle limit.
Task<Result<>> drain(relay::Pipe& pipe, const BodySource& from, SocketStream& out, std::uint64_t& moved_bytes)
{
    const auto side = other_side(from.reader.side());
    while (!pipe.empty()) {
        out.expire_after(from.idle_limit);
        from.stream.expire_after(from.idle_limit);
        for (;;) {
            const auto drained = relay::drain_now(pipe, out, side);
            if (drained && !*drained) co_return drained->error();
            if (drained) {
                moved_bytes += **drained;
                break;
            }
            auto outcome = co_await out.watched().writable();
            auto& [failed] = outcome;
            if (!failed) continue;
            if (auto gone = out.failure("write")) co_return std::move(*gone);
            co_return Error{Fault::closed, side, "write", {}};
        }
    }
    co_return Result<>{};
}

} // namespace

Task<Result<bool>> splice_body(BodySource from, SocketStream& in, SocketStream& out, std::uint64_t& moved_bytes)
{
    int small_pieces = 0;
    std::uint64_t in_turn = 0; // since it last waited
    while (!from.reader.ended() && small_pieces < relay::quiet_after_pieces) {
        // Nobody wants the rest any more: the sender is not waited for.
        if (auto gone = out.failure("write")) co_return std::move(*gone);
        SenderWait wait{from};
        const auto begun = wait.begin();
        if (!begun) co_return begun.error();
        if (!in.watched().maybe_readable()) {
            const auto there = co_await in.wait_readable();
            wait.end();
            if (!there) co_return wait.named(there.error());
            in_turn = 0;
        }
        // Taken for each piece: who waits for the sender needs no pipe.
        auto pipe = relay::Pipe::take(relay::Settings{}.pipe_bytes);
        if (!pipe) co_return true;
        const auto most = std::min<std::uint64_t>(from.reader.content_ahead(), SIZE_MAX);
        const auto filled = relay::fill_now(*pipe, in, from.reader.side(), static_cast<std::size_t>(most));
        if (!filled) continue;
        if (!*filled && filled->error().cause == asio::error::invalid_argument) co_return false;
        if (!*filled) co_return filled->error();
        if (**filled == 0) co_return from.reader.at_end_of_stream().error();
        small_pieces = **filled < relay::small_piece_bytes ? small_pieces + 1 : 0;
        from.reader.pass_content(**filled);
        const auto drained = co_await drain(*pipe, from, out, moved_bytes);
        if (!drained) co_return drained.error();
        in_turn += **filled;
        if (in_turn < relay::turn_bytes || from.reader.ended()) continue;
        in_turn = 0;
        co_await asio::post(asio::deferred);
    }
    co_return true;
}

} // namespace gw::proxy
