#include "gateway/config/encoding.h"

#include <cstdint>
#include <cstdio>

namespace gw::config {

namespace {

std::uint8_t byte_at(std::string_view text, std::size_t at) { return static_cast<std::uint8_t>(text[at]); }

std::uint32_t code_point(std::string_view text, std::size_t size)
{
    if (size == 1) return byte_at(text, 0);
    std::uint32_t code = byte_at(text, 0) & (0xffu >> (size + 1));
    for (std::size_t at = 1; at < size; ++at) code = code << 6 | (byte_at(text, at) & 0x3f);
    return code;
}

/// Characters that a terminal would obey instead of showing.
bool is_hidden(std::uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

std::string escaped(std::string_view bytes)
{
    if (bytes == "\t") return "\\t";
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        char hex[8]{};
        std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned>(byte_at(bytes, at)));
        out += hex;
    }
    return out;
}

std::string wrong_at(std::string_view text, std::size_t at)
{
    const auto byte = byte_at(text, at);
    if (byte == 0) return "a NUL byte; the file must be text in UTF-8";
    if (byte == '\r') return "a carriage return without a line feed";
    if (byte >= 0x80) return "not UTF-8: the byte " + escaped(text.substr(at, 1));
    return "a control character: " + escaped(text.substr(at, 1));
}

bool is_bad(std::string_view text, std::size_t at, std::size_t size)
{
    const auto byte = byte_at(text, at);
    if (size == 0 || byte == 0x7f) return true;
    if (byte == '\r') return at + 1 >= text.size() || text[at + 1] != '\n';
    return byte < 0x20 && byte != '\t' && byte != '\n';
}

} // namespace

std::size_t utf8_size(std::string_view text)
{
    if (text.empty()) return 0;
    const auto first = byte_at(text, 0);
    if (first < 0x80) return 1;
    const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
    for (std::size_t at = 1; at < size; ++at)
        if ((byte_at(text, at) & 0xc0) != 0x80) return 0;
    const auto code = code_point(text, size);
    const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
    return overlong || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff ? 0 : size;
}

std::optional<BadByte> find_bad_byte(std::string_view text)
{
    BadByte here;
    for (std::size_t at = 0; at < text.size();) {
        const auto size = utf8_size(text.substr(at, 4));
        if (is_bad(text, at, size)) {
            here.what = wrong_at(text, at);
            return here;
        }
        const bool new_line = text[at] == '\n';
        here.line += new_line;
        here.column = new_line ? 1 : here.column + static_cast<int>(size);
        at += size;
    }
    return std::nullopt;
}

std::string_view without_mark(std::string_view text)
{
    return text.starts_with("\xef\xbb\xbf") ? text.substr(3) : text;
}

std::string printable(std::string_view text, std::size_t* columns)
{
    std::string out;
    std::size_t shown = 0;
    for (std::size_t at = 0; at < text.size();) {
        const auto size = utf8_size(text.substr(at, 4));
        const auto bytes = text.substr(at, size == 0 ? 1 : size);
        if (size == 0 || is_hidden(code_point(bytes, size))) {
            const auto escape = escaped(bytes);
            shown += escape.size();
            out += escape;
        } else {
            shown += 1;
            out += bytes;
        }
        at += bytes.size();
    }
    if (columns) *columns = shown;
    return out;
}

std::string in_quotes(std::string_view text)
{
    constexpr std::size_t most_bytes = 60;
    if (text.size() <= most_bytes) return "\"" + printable(text) + "\"";
    auto size = most_bytes;
    while (size > most_bytes - 4 && (static_cast<std::uint8_t>(text[size]) & 0xc0) == 0x80) --size;
    return "\"" + printable(text.substr(0, size)) + "...\"";
}

} // namespace gw::config
