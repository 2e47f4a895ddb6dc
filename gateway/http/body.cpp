#include "gateway/http/body.h"

#include "gateway/http/bytes.h"
#include "gateway/http/head_fields.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <iterator>
#include <limits>

namespace gw::http {

namespace {

constexpr std::size_t max_size_line_bytes = 256;
constexpr std::size_t max_extension_bytes = 16 * 1024;
constexpr std::size_t max_size_digits = 16;
constexpr std::uint64_t max_body_bytes = std::numeric_limits<std::int64_t>::max();

/// Fields a trailer may not bring: framing, routing, authentication, conditions and controls, the form of the content.
/// RFC 9110 section 6.5.1. A trailer is seen after the decisions were made on the head.
bool may_be_trailer(std::string_view name)
{
    constexpr std::string_view refused[]{"host",
                                         "trailer",
                                         "authorization",
                                         "www-authenticate",
                                         "authentication-info",
                                         "proxy-authentication-info",
                                         "cookie",
                                         "set-cookie",
                                         "age",
                                         "date",
                                         "expires",
                                         "location",
                                         "retry-after",
                                         "vary",
                                         "warning",
                                         "via",
                                         "cache-control",
                                         "pragma",
                                         "expect",
                                         "max-forwards",
                                         "range",
                                         "accept-ranges",
                                         "accept-encoding",
                                         "strict-transport-security",
                                         "x-accel-redirect",
                                         "x-sendfile"};
    if (ends_here(name, {}) || is_forwarding_field(name)) return false;
    const auto starts = [name](std::string_view prefix) {
        return name.size() >= prefix.size() && same_name(name.substr(0, prefix.size()), prefix);
    };
    if (starts("content-") || starts("if-")) return false;
    return std::none_of(std::begin(refused), std::end(refused), [name](auto one) { return same_name(name, one); });
}

std::string_view skip_blanks(std::string_view text)
{
    while (!text.empty() && bytes::is_blank(text.front())) text.remove_prefix(1);
    return text;
}

/// What is behind the quoted string at the start of `text`; data() null: there is none.
std::string_view behind_quoted(std::string_view text)
{
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '\\')
            ++i;
        else if (text[i] == '"')
            return text.substr(i + 1);
    }
    return {};
}

/// chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ), RFC 9112 section 7.1.1, of which the
/// first BWS is not taken. They are dropped, but one that is none may hide what another parser reads.
bool is_extension(std::string_view text)
{
    if (bytes::find_forbidden(text) != bytes::npos) return false;
    while (!text.empty()) {
        text = skip_blanks(text);
        if (text.empty() || text.front() != ';') return false;
        text = skip_blanks(text.substr(1));
        const auto name = bytes::token_length(text);
        if (name == 0) return false;
        text = text.substr(name);
        const auto value = skip_blanks(text);
        if (value.empty() || value.front() != '=') continue;
        text = skip_blanks(value.substr(1));
        if (text.empty()) return false;
        if (text.front() == '"') {
            text = behind_quoted(text);
            if (text.data() == nullptr) return false;
        } else {
            const auto token = bytes::token_length(text);
            if (token == 0) return false;
            text = text.substr(token);
        }
    }
    return true;
}

} // namespace

void BodyReader::restart(Framing framing)
{
    left_ = content_ = 0;
    extension_ = trailer_read_ = 0;
    trailers_.clear();
    switch (framing.kind) {
    case Framing::Kind::none: state_ = State::done; break;
    case Framing::Kind::length:
        left_ = framing.length_bytes;
        state_ = left_ == 0 ? State::done : State::length;
        break;
    case Framing::Kind::chunked: state_ = State::chunk_size; break;
    case Framing::Kind::until_close: state_ = State::until_close; break;
    }
}

Result<BodyReader::Piece> BodyReader::next_of_length(std::string_view received)
{
    Piece piece;
    piece.content_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(left_, received.size()));
    left_ -= piece.content_bytes;
    content_ += piece.content_bytes;
    if (left_ == 0) state_ = State::done;
    piece.ended = left_ == 0;
    return piece;
}

/// size [ extensions ] CRLF. 0: more is needed. Left to right, so that the first wrong byte decides.
Result<std::size_t> BodyReader::read_size_line(std::string_view received)
{
    const auto window = received.substr(0, max_size_line_bytes);
    std::uint64_t size = 0;
    std::size_t digits = 0;
    for (; digits < window.size() && bytes::hex_value(window[digits]) >= 0; ++digits) {
        if (digits == max_size_digits) return wrong(Fault::malformed, "a chunk size of too many digits");
        size = size * 16 + static_cast<std::uint64_t>(bytes::hex_value(window[digits]));
    }
    if (digits == window.size()) return std::size_t{0};
    if (digits == 0) return wrong(Fault::malformed, "a chunk without its size");
    if (window[digits] != '\r' && window[digits] != ';') return wrong(Fault::malformed, "no chunk size");
    if (size > max_body_bytes - content_) return wrong(Fault::malformed, "a chunk size beyond 2^63");

    const auto end = window.find('\n', digits);
    if (end == bytes::npos) {
        const auto rest = window.substr(digits, window.size() - digits - (window.back() == '\r' ? 1 : 0));
        if (bytes::find_forbidden(rest) != bytes::npos) return wrong(Fault::malformed, "a control character");
        if (window.size() == max_size_line_bytes) return wrong(Fault::too_large, "a chunk's size line is too long");
        return std::size_t{0};
    }
    if (window[end - 1] != '\r') return wrong(Fault::malformed, "LF without CR after a chunk size");
    const auto extension = window.substr(digits, end - 1 - digits);
    if (!is_extension(extension)) return wrong(Fault::malformed, "a bad chunk extension");
    extension_ += extension.size();
    if (extension_ > max_extension_bytes) return wrong(Fault::too_large, "too many chunk extensions");
    left_ = size;
    state_ = size == 0 ? State::trailer : State::chunk_data;
    return end + 1;
}

Result<std::size_t> BodyReader::read_chunk_end(std::string_view received)
{
    if (received.empty()) return std::size_t{0};
    if (received[0] != '\r') return wrong(Fault::malformed, "a chunk longer than its size");
    if (received.size() == 1) return std::size_t{0};
    if (received[1] != '\n') return wrong(Fault::malformed, "CR without LF after a chunk");
    state_ = State::chunk_size;
    return std::size_t{2};
}

/// A field line, or the empty line that ends the body. 0: more is needed.
Result<std::size_t> BodyReader::read_trailer_line(std::string_view received)
{
    if (received.empty()) return std::size_t{0};
    if (received[0] == '\r') {
        if (received.size() == 1) return std::size_t{0};
        if (received[1] != '\n') return wrong(Fault::malformed, "CR without LF in the trailers");
        state_ = State::done;
        return std::size_t{2};
    }
    const auto window = received.substr(0, trailer_limit_ - trailer_read_);
    const auto end = window.find('\n');
    if (end == bytes::npos) {
        const bool ends_in_cr = !window.empty() && window.back() == '\r';
        if (bytes::find_forbidden(window.substr(0, window.size() - (ends_in_cr ? 1 : 0))) != bytes::npos)
            return wrong(Fault::malformed, "a control character in the trailers");
        if (window.size() == trailer_limit_ - trailer_read_)
            return wrong(Fault::too_large, "the trailers are too large");
        return std::size_t{0};
    }
    if (end == 0 || window[end - 1] != '\r') return wrong(Fault::malformed, "LF without CR in the trailers");
    const auto line = head::parse_line(window.substr(0, end - 1));
    if (line.why) return wrong(Fault::malformed, line.why);
    trailer_read_ += end + 1;
    if (may_be_trailer(line.field.name))
        trailers_.append(line.field.name).append(": ").append(line.field.value).append("\r\n");
    return end + 1;
}

/// One line of framing, by the state. 0: more is needed, or content is next.
Result<std::size_t> BodyReader::read_framing(std::string_view received)
{
    switch (state_) {
    case State::chunk_size: return read_size_line(received);
    case State::chunk_end: return read_chunk_end(received);
    case State::trailer: return read_trailer_line(received);
    default: return std::size_t{0};
    }
}

Result<BodyReader::Piece> BodyReader::next_of_chunks(std::string_view received)
{
    Piece piece;
    const auto read_lines = [this](std::string_view from) -> Result<std::size_t> {
        std::size_t at = 0;
        while (state_ != State::chunk_data && state_ != State::done) {
            const auto line = read_framing(from.substr(at));
            if (!line) return line.error();
            if (*line == 0) break;
            at += *line;
        }
        return at;
    };
    const auto before = read_lines(received);
    if (!before) return before.error();
    piece.skip_bytes = *before;
    if (state_ == State::chunk_data) {
        received.remove_prefix(piece.skip_bytes);
        piece.content_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(left_, received.size()));
        left_ -= piece.content_bytes;
        content_ += piece.content_bytes;
        if (left_ == 0) {
            state_ = State::chunk_end;
            const auto after = read_lines(received.substr(piece.content_bytes));
            if (!after) return after.error();
            piece.after_bytes = *after;
        }
    }
    piece.ended = state_ == State::done;
    return piece;
}

Result<BodyReader::Piece> BodyReader::next(std::string_view received)
{
    switch (state_) {
    case State::done: return Piece{0, 0, 0, true};
    case State::length: return next_of_length(received);
    case State::until_close: content_ += received.size(); return Piece{0, received.size(), 0, false};
    default: return next_of_chunks(received);
    }
}

void BodyReader::pass_content(std::uint64_t bytes)
{
    assert(bytes <= content_ahead());
    left_ -= bytes;
    content_ += bytes;
    if (left_ == 0) state_ = State::done;
}

Result<> BodyReader::at_end_of_stream() const
{
    if (state_ == State::done || state_ == State::until_close) return {};
    return wrong(Fault::closed, "the stream ended inside a body");
}

std::string_view encode_chunk_size(std::uint64_t size_bytes, std::span<char, 18> into)
{
    char* end = std::to_chars(into.data(), into.data() + 16, size_bytes, 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    return {into.data(), static_cast<std::size_t>(end - into.data())};
}

} // namespace gw::http
