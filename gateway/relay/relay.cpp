#include "gateway/relay/relay.h"

#include "gateway/relay/direction.h"
#include "gateway/relay/splice.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <chrono>

namespace gw::relay {

namespace {

Task<> move_between_sockets(Ends& ends, SocketStream& client, SocketStream& upstream, Buffer& from_client,
                            Buffer& from_upstream, Counts& counts)
{
    SocketDirection onward{ends,
                           client,
                           Side::client,
                           upstream,
                           Side::upstream,
                           from_client,
                           {counts.from_client_bytes, counts.spliced_bytes}};
    SocketDirection back{ends,
                         upstream,
                         Side::upstream,
                         client,
                         Side::client,
                         from_upstream,
                         {counts.to_client_bytes, counts.spliced_bytes, &counts.first_to_client_at}};
    Wakeup wakeup{client.watched().poller()};
    client.watched().wake(wakeup);
    upstream.watched().wake(wakeup);
    for (;;) {
        const bool onward_waits = onward.step();
        const bool back_waits = back.step();
        if (ends.failure || (onward.ended() && back.ended())) co_return;
        if (onward_waits && back_waits) {
            auto outcome = co_await wakeup.wait();
            (void)outcome; // which one it was, and why, is asked of both
        } else {
            co_await asio::post(asio::deferred);
        }
    }
}

Task<> move_between_streams(Ends& ends, Buffer& from_client, Buffer& from_upstream, Counts& counts)
{
    using namespace asio::experimental::awaitable_operators;
    Direction onward{ends, ends.client, ends.upstream, from_client, {counts.from_client_bytes, counts.spliced_bytes}};
    Direction back{ends,
                   ends.upstream,
                   ends.client,
                   from_upstream,
                   {counts.to_client_bytes, counts.spliced_bytes, &counts.first_to_client_at}};
    // Neither throws, so both always run to their end; a failure of one closes the streams under the other.
    co_await (onward.run() && back.run());
}

} // namespace

Task<Result<>> run(Stream& client, Stream& upstream, Buffer& from_client, Buffer& from_upstream,
                   const Settings& settings, Counts& counts)
{
    Ends ends{client, upstream, settings};
    ends.progress();
    auto* client_socket = socket_of(client);
    auto* upstream_socket = socket_of(upstream);
    if (client_socket != nullptr && upstream_socket != nullptr)
        co_await move_between_sockets(ends, *client_socket, *upstream_socket, from_client, from_upstream, counts);
    else
        co_await move_between_streams(ends, from_client, from_upstream, counts);
    if (ends.failure) co_return std::move(*ends.failure);
    client.expire_at(std::chrono::steady_clock::time_point::max());
    upstream.expire_at(std::chrono::steady_clock::time_point::max());
    co_return Result<>{};
}

} // namespace gw::relay
