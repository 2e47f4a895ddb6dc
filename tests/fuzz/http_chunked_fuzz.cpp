// fuzz-sources: gateway/http/body.cpp gateway/http/head_fields.cpp gateway/http/message.cpp
#include "gateway/http/body.h"

#include <cstdlib>
#include <vector>

namespace {

using namespace gw::http;

void require(bool holds)
{
    if (!holds) std::abort();
}

constexpr std::size_t trailer_limit_bytes = 100;

struct Outcome {
    enum class Kind { more, ended, malformed, too_large } kind = Kind::more;
    std::string content;
    std::string trailers;
    std::size_t consumed = 0;
};

bool same(const Outcome& a, const Outcome& b)
{
    if (a.kind != b.kind) return false;
    if (a.kind == Outcome::Kind::malformed || a.kind == Outcome::Kind::too_large) return true;
    return a.content == b.content && a.trailers == b.trailers &&
           (a.kind == Outcome::Kind::more || a.consumed == b.consumed);
}

// `step`: how many bytes arrive at a time.
Outcome read(std::string_view bytes, std::size_t step)
{
    BodyReader reader{gw::Side::client, trailer_limit_bytes};
    reader.restart({Framing::Kind::chunked, 0});
    Outcome outcome;
    std::size_t arrived = 0;
    while (!reader.ended()) {
        const std::vector<char> unread(bytes.begin() + static_cast<std::ptrdiff_t>(outcome.consumed),
                                       bytes.begin() + static_cast<std::ptrdiff_t>(arrived));
        const auto piece = reader.next({unread.data(), unread.size()});
        if (!piece) {
            outcome.kind =
                piece.error().fault == gw::Fault::too_large ? Outcome::Kind::too_large : Outcome::Kind::malformed;
            return outcome;
        }
        const auto taken = piece->skip_bytes + piece->content_bytes + piece->after_bytes;
        require(taken <= unread.size() && piece->ended == reader.ended());
        if (piece->content_bytes > 0) outcome.content.append(unread.data() + piece->skip_bytes, piece->content_bytes);
        outcome.consumed += taken;
        if (reader.ended() || taken > 0) continue;
        if (arrived == bytes.size()) break;
        arrived = std::min(bytes.size(), arrived + step);
    }
    require(reader.content_bytes() == outcome.content.size());
    require(reader.at_end_of_stream().has_value() == reader.ended());
    if (reader.ended()) outcome.kind = Outcome::Kind::ended;
    outcome.trailers = reader.trailers();
    return outcome;
}

// The content framed anew in chunks of `size` is the same content.
void check_encoding(const Outcome& outcome, std::size_t size)
{
    std::string out;
    char room[18];
    for (std::size_t at = 0; at < outcome.content.size(); at += size) {
        const auto chunk = std::string_view{outcome.content}.substr(at, size);
        out.append(encode_chunk_size(chunk.size(), room)).append(chunk).append("\r\n");
    }
    out.append(encode_chunk_size(0, room)).append(outcome.trailers).append("\r\n");
    BodyReader reader{gw::Side::client};
    reader.restart({Framing::Kind::chunked, 0});
    std::string content;
    for (std::string_view rest = out; !reader.ended();) {
        const auto piece = reader.next(rest);
        require(piece.has_value());
        content.append(rest.substr(piece->skip_bytes, piece->content_bytes));
        rest.remove_prefix(piece->skip_bytes + piece->content_bytes + piece->after_bytes);
        require(reader.ended() == rest.empty());
    }
    require(content == outcome.content && reader.trailers() == outcome.trailers);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size > 2'000) return 0;
    const std::string_view bytes{reinterpret_cast<const char*>(data), size};
    const auto whole = read(bytes, size + 1);
    for (const std::size_t step : {1U, 2U, 5U, 17U}) require(same(read(bytes, step), whole));
    if (whole.kind == Outcome::Kind::ended)
        for (const std::size_t chunk : {1U, 16U, 1'000U}) check_encoding(whole, chunk);
    return 0;
}
