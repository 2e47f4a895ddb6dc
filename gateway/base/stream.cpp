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

} // namespace gw
