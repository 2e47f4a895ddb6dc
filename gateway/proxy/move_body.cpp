#include "gateway/proxy/move_body.h"

#include "gateway/proxy/sender_wait.h"
#include "gateway/proxy/splice_body.h"
#include "gateway/relay/splice.h"

#include <algorithm>
#include <array>

namespace gw::proxy {

namespace {

using namespace std::string_view_literals;

constexpr std::size_t chunks_per_write = 16;
constexpr std::size_t body_read_bytes = 32 * 1024;
constexpr std::size_t head_pieces = 4;

asio::const_buffer buffer_of(std::string_view text) { return {text.data(), text.size()}; }

/// The pieces of one gathering write, and the memory of the chunk sizes in it.
struct Gathered {
    std::array<asio::const_buffer, head_pieces + 1 + 3 * chunks_per_write> parts;
    std::array<std::array<char, 18>, chunks_per_write> sizes;
    std::size_t count = 0;
    std::size_t chunks = 0;

    void add(asio::const_buffer part)
    {
        if (part.size() > 0) parts[count++] = part;
    }
    void add_content(std::string_view content, BodyForm form)
    {
        if (form == BodyForm::chunked) add(buffer_of(http::encode_chunk_size(content.size(), sizes[chunks])));
        add(buffer_of(content));
        if (form == BodyForm::chunked) add(buffer_of("\r\n"sv));
        ++chunks;
    }
    std::span<const asio::const_buffer> view() const { return {parts.data(), count}; }
};

Error too_long(const BodySource& from)
{
    return Error{Fault::too_large, Side::client, "body over " + std::to_string(from.limit_bytes) + " bytes", {}};
}

/// Takes apart what is in `received` from `used` on. Gathers content; `used` moves past what was looked at.
Result<> gather(std::string_view received, const BodySource& from, BodyForm form, Gathered& into, std::size_t& used,
                std::uint64_t& moved_bytes, Tee* tee)
{
    auto& reader = from.reader;
    while (!reader.ended() && used < received.size() && into.chunks < chunks_per_write) {
        const auto piece = reader.next(received.substr(used));
        if (!piece) return piece.error();
        if (reader.content_bytes() > from.limit_bytes) return too_long(from);
        const auto content = received.substr(used + piece->skip_bytes, piece->content_bytes);
        if (!content.empty()) into.add_content(content, form);
        if (tee != nullptr && tee->bytes.size() < tee->limit_bytes)
            tee->bytes.append(content.substr(0, tee->limit_bytes - tee->bytes.size()));
        moved_bytes += content.size();
        const auto looked_at = piece->skip_bytes + piece->content_bytes + piece->after_bytes;
        if (looked_at == 0) break;
        used += looked_at;
    }
    return {};
}

/// Reads more of a body. False: the stream ended where the body may end.
Task<Result<bool>> read_more(BodySource from)
{
    const auto into = from.received.prepare(body_read_bytes);
    if (into.size() == 0) co_return Error{Fault::too_large, Side::gateway, "framing larger than the buffer", {}};
    SenderWait wait{from};
    const auto begun = wait.begin();
    if (!begun) co_return begun.error();
    auto count = co_await from.stream.read_some(into);
    wait.end();
    if (!count) co_return wait.named(count.error());
    if (*count == 0) {
        const auto end = from.reader.at_end_of_stream();
        if (!end) co_return end.error();
        co_return false;
    }
    from.received.commit(*count);
    co_return true;
}

/// What is written to counts, now, when the kernel gives it, and what a string that grows copies.
bool is_allowed(const std::string& into, std::size_t more, MemoryAllowance* memory)
{
    const bool grows = into.capacity() - into.size() < more;
    return memory == nullptr || memory->take(more + (grows ? into.size() : 0));
}

/// Both ends of a way that is sockets only, or neither.
struct Sockets {
    SocketStream* in = nullptr;
    SocketStream* out = nullptr;
};

Sockets sockets_of(Stream& from, Stream& to)
{
    const Sockets both{relay::socket_of(from), relay::socket_of(to)};
    return both.in != nullptr && both.out != nullptr ? both : Sockets{};
}

/// Nobody has to see what comes next of the body, and it is long.
bool may_splice(const BodySource& from, const Tee* tee)
{
    const auto ahead = from.reader.content_ahead();
    const bool seen = tee == nullptr || tee->bytes.size() >= tee->limit_bytes;
    return seen && from.received.empty() && ahead >= least_spliced_bytes &&
           ahead <= from.limit_bytes - std::min(from.limit_bytes, from.reader.content_bytes());
}

} // namespace

Beginning::Beginning(std::string head, std::string_view content, BodyForm form) : head_(std::move(head))
{
    const bool is_chunk = form == BodyForm::chunked && !content.empty();
    std::array<char, 18> size{};
    if (is_chunk) head_.append(http::encode_chunk_size(content.size(), size));
    pieces_ = {asio::buffer(head_), buffer_of(content), buffer_of(is_chunk ? "\r\n"sv : ""sv)};
}

Task<Result<>> move_body(BodySource from, Stream& to, BodyForm form, std::span<const asio::const_buffer> head,
                         std::uint64_t& moved_bytes, Tee* tee)
{
    bool stream_ended = false;
    bool splices = form == BodyForm::plain; // as far as is known
    std::string last;
    for (;;) {
        Gathered out;
        for (const auto& piece : head) out.add(piece);
        head = {};
        std::size_t used = 0;
        const auto gathered = gather(from.received.view(), from, form, out, used, moved_bytes, tee);
        // What came before the fault was sound; the end is not, so the receiver must not take it for one.
        if (!gathered) co_return gathered.error();
        const bool ended = from.reader.ended() || stream_ended;
        if (ended && form == BodyForm::chunked) {
            last = "0\r\n" + from.reader.trailers() + "\r\n";
            out.add(buffer_of(last));
        }
        if (out.count > 0) {
            to.expire_after(from.idle_limit);
            const auto written = co_await write_all(to, out.view());
            if (!written) co_return written.error();
        }
        from.received.consume(used);
        if (ended) co_return Result<>{};
        if (used > 0 && !from.received.empty()) continue;
        // A read that had more to give than there was room for: it comes faster than it is taken.
        if (splices && used >= body_read_bytes && may_splice(from, tee)) {
            const auto sockets = sockets_of(from.stream, to);
            splices = sockets.out != nullptr;
            if (splices) {
                const auto can = co_await splice_body(from, *sockets.in, *sockets.out, moved_bytes);
                if (!can) co_return can.error();
                splices = *can;
            }
            if (from.reader.ended()) co_return Result<>{};
        }
        const auto more = co_await read_more(from);
        if (!more) co_return more.error();
        stream_ended = !*more;
    }
}

Error short_of_memory() { return {Fault::refused, Side::gateway, "memory is short (limits.memory)", {}}; }

Task<Result<bool>> collect_body(BodySource from, std::size_t limit_bytes, std::string& into, MemoryAllowance* memory)
{
    for (;;) {
        std::size_t used = 0;
        const auto received = from.received.view();
        while (!from.reader.ended() && used < received.size() && into.size() <= limit_bytes) {
            const auto piece = from.reader.next(received.substr(used));
            if (!piece) co_return piece.error();
            if (from.reader.content_bytes() > from.limit_bytes) co_return too_long(from);
            if (!is_allowed(into, piece->content_bytes, memory)) co_return short_of_memory();
            into.append(received.substr(used + piece->skip_bytes, piece->content_bytes));
            const auto looked_at = piece->skip_bytes + piece->content_bytes + piece->after_bytes;
            if (looked_at == 0) break;
            used += looked_at;
        }
        from.received.consume(used);
        if (from.reader.ended()) co_return true;
        if (into.size() > limit_bytes) co_return false;
        if (used > 0 && !from.received.empty()) continue;
        const auto more = co_await read_more(from);
        if (!more) co_return more.error();
        if (!*more) co_return true;
    }
}

Task<bool> drain_body(BodySource from, std::size_t limit_bytes)
{
    std::size_t drained = 0;
    while (!from.reader.ended()) {
        if (from.received.empty()) {
            if (drained >= limit_bytes) co_return false;
            const auto more = co_await read_more(from);
            if (!more || !*more) co_return false;
        }
        const auto piece = from.reader.next(from.received.view());
        if (!piece) co_return false;
        const auto looked_at = piece->skip_bytes + piece->content_bytes + piece->after_bytes;
        drained += looked_at;
        from.received.consume(looked_at);
        if (looked_at == 0) {
            const auto more = co_await read_more(from);
            if (!more || !*more) co_return false;
        }
        if (drained > limit_bytes) co_return from.reader.ended();
    }
    co_return true;
}

} // namespace gw::proxy
