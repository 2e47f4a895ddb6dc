#include "gateway/base/stream.h"

#include <algorithm>
#include <array>

namespace gw {

Task<Result<>> write_all(Stream& stream, std::span<const asio::const_buffer> from)
{
    // The common case takes one call. What is left of a short write goes on in slices of a small array.
    while (!from.empty() && from.front().size() == 0) from = from.subspan(1);
    while (!from.empty()) {
        auto written = co_await stream.write_some(from);
        if (!written) co_return written.error();
        auto count = *written;
        while (!from.empty() && count >= from.front().size()) {
            count -= from.front().size();
            from = from.subspan(1);
        }
        if (from.empty()) break;
        if (count == 0) continue;
        const asio::const_buffer rest = from.front() + count;
        const auto tail = co_await write_all(stream, rest);
        if (!tail) co_return tail.error();
        from = from.subspan(1);
    }
    co_return Result<>{};
}

Task<Result<>> write_all(Stream& stream, asio::const_buffer from)
{
    while (from.size() > 0) {
        const std::array<asio::const_buffer, 1> one{from};
        auto written = co_await stream.write_some(one);
        if (!written) co_return written.error();
        from += *written;
    }
    co_return Result<>{};
}

std::size_t write_at_once(Stream& stream, std::span<const asio::const_buffer> from)
{
    std::size_t left = 0;
    for (const auto& piece : from) left += piece.size();
    if (left == 0) return 0;
    const auto written = stream.write_now(from);
    return written && *written ? left - **written : left;
}

Task<Result<>> write_rest(Stream& stream, std::span<const asio::const_buffer> from, std::size_t left)
{
    std::size_t behind = 0; // the pieces that follow the one that was cut
    auto first = from.size();
    while (first > 0 && behind + from[first - 1].size() < left) behind += from[--first].size();
    const auto& cut = from[first - 1];
    const asio::const_buffer rest = cut + (cut.size() - (left - behind));
    const auto written = co_await write_all(stream, rest);
    if (!written) co_return written.error();
    co_return co_await write_all(stream, from.subspan(first));
}

} // namespace gw
