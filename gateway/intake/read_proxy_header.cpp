#include "gateway/intake/read_proxy_header.h"

namespace gw::intake {

namespace {

// More than nearly every header, so that one call reads it; what comes behind it is read by whoever wants it.
constexpr std::size_t read_bytes = 4 * 1024;

} // namespace

Task<Result<ProxyHeader>> read_proxy_header(Stream& sender, Buffer& received, std::chrono::milliseconds limit)
{
    sender.expire_after(limit);
    for (;;) {
        const auto into = received.prepare(read_bytes);
        const auto count = co_await sender.read_some(into);
        if (!count) {
            auto error = count.error();
            if (error.fault == Fault::timed_out) error.what = "no whole PROXY header came in time";
            co_return error;
        }
        if (*count == 0)
            co_return Error{Fault::closed,
                            Side::client,
                            received.empty() ? "ended without a byte" : "ended within the PROXY header",
                            {}};
        received.commit(*count);
        auto answer = parse_proxy_header(received.view());
        if (!answer) co_return answer.error();
        if (std::holds_alternative<Absent>(*answer))
            co_return Error{Fault::refused, Side::client, "no PROXY header, where one must come first", {}};
        if (auto* header = std::get_if<ProxyHeader>(&*answer)) {
            received.consume(header->size_bytes);
            sender.expire_at(std::chrono::steady_clock::time_point::max());
            co_return std::move(*header);
        }
    }
}

} // namespace gw::intake
