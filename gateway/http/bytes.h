#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

/// Classes of bytes, for the parsers of this room and of filters.
namespace gw::http::bytes {

inline constexpr std::size_t npos = std::string_view::npos;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
/// SP and HTAB, the OWS of RFC 9110 section 5.6.3.
constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }
/// C0 controls and DEL. HTAB is one of them.
constexpr bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

namespace detail {

using Table = std::array<bool, 256>;

constexpr Table letters_digits_and(std::string_view others)
{
    Table table{};
    for (int c = 0; c < 256; ++c)
        table[static_cast<std::size_t>(c)] =
            c < 0x80 && (is_digit(static_cast<char>(c)) || is_alpha(static_cast<char>(c)));
    for (const char c : others) table[static_cast<unsigned char>(c)] = true;
    return table;
}

inline constexpr Table token = letters_digits_and("!#$%&'*+-.^_`|~");
inline constexpr Table unreserved = letters_digits_and("-._~");
// RFC 3986 reg-name without ',' (a list of hosts to some) and without '%' (a name two parsers may spell in two ways).
inline constexpr Table host = letters_digits_and("-._~!$&'()*+;=");

constexpr std::array<std::int8_t, 256> hex_values()
{
    std::array<std::int8_t, 256> table{};
    for (auto& value : table) value = -1;
    for (int i = 0; i < 10; ++i) table[static_cast<std::size_t>('0' + i)] = static_cast<std::int8_t>(i);
    for (int i = 0; i < 6; ++i) {
        table[static_cast<std::size_t>('a' + i)] = static_cast<std::int8_t>(10 + i);
        table[static_cast<std::size_t>('A' + i)] = static_cast<std::int8_t>(10 + i);
    }
    return table;
}
inline constexpr std::array<std::int8_t, 256> hex = hex_values();

} // namespace detail

/// RFC 9110 section 5.6.2.
inline bool is_token(char c) { return detail::token[static_cast<unsigned char>(c)]; }
/// RFC 3986 section 2.3.
inline bool is_unreserved(char c) { return detail::unreserved[static_cast<unsigned char>(c)]; }
inline bool is_host(char c) { return detail::host[static_cast<unsigned char>(c)]; }
/// 0..15, or -1.
inline int hex_value(char c) { return detail::hex[static_cast<unsigned char>(c)]; }

/// Where the token at the start of `text` ends.
inline std::size_t token_length(std::string_view text)
{
    std::size_t at = 0;
    while (at < text.size() && is_token(text[at])) ++at;
    return at;
}

inline bool all_token(std::string_view text) { return !text.empty() && token_length(text) == text.size(); }

inline std::string_view trim(std::string_view text)
{
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

/// The first byte a field value may not hold (RFC 9110 section 5.5: controls except HTAB), or npos. Eight bytes a step.
inline std::size_t find_forbidden(std::string_view value)
{
    constexpr std::uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
    const auto forbidden = [](char c) { return is_control(c) && c != '\t'; };
    std::size_t at = 0;
    for (; at + 8 <= value.size(); at += 8) {
        std::uint64_t word;
        std::memcpy(&word, value.data() + at, 8);
        const std::uint64_t seven = word & ~high;
        // Adding 0x60 to seven bits carries into the top bit unless the byte is under 0x20; adding 1 does for 0x7f
        // only.
        const std::uint64_t suspicious = (~(seven + 0x60 * ones) | (seven + ones)) & ~word & high;
        if (suspicious == 0) continue;
        for (std::size_t i = 0; i < 8; ++i)
            if (forbidden(value[at + i])) return at + i;
    }
    for (; at < value.size(); ++at)
        if (forbidden(value[at])) return at;
    return npos;
}

/// The next element of a comma separated list, blanks around it left out, `list` shortened by it; empty elements are
/// skipped (RFC 9110 section 5.6.1). Empty: no more. Does not know quoted strings.
inline std::string_view next_element(std::string_view& list)
{
    while (!list.empty()) {
        const auto comma = list.find(',');
        const auto element = trim(list.substr(0, comma));
        list = comma == npos ? std::string_view{} : list.substr(comma + 1);
        if (!element.empty()) return element;
    }
    return {};
}

} // namespace gw::http::bytes
