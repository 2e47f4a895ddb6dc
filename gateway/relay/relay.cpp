#include "gateway/relay/relay.h"

#include "gateway/relay/direction.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <chrono>

namespace gw::relay {

Task<Result<>> run(Stream& client, Stream& upstream, Buffer& from_client, Buffer& from_upstream,
                   const Settings& settings, Counts& counts)
{
    using namespace asio::experimental::awaitable_operators;
    Ends ends{client, upstream, settings};
    Direction onward{ends,
                     client,
                     Side::client,
                     upstream,
                     Side::upstream,
                     from_client,
                     counts.from_client_bytes,
                     counts.spliced_bytes};
    Direction back{ends,
                   upstream,
                   Side::upstream,
                   client,
                   Side::client,
                   from_upstream,
                   counts.to_client_bytes,
                   counts.spliced_bytes,
                   &counts.first_to_client_at};
    ends.progress();
    // Neither throws, so both always run to their end; a failure of one closes the streams under the other.
    co_await (onward.run() && back.run());
    if (ends.failure) co_return std::move(*ends.failure);
    client.expire_at(std::chrono::steady_clock::time_point::max());
    upstream.expire_at(std::chrono::steady_clock::time_point::max());
    co_return Result<>{};
}

} // namespace gw::relay
