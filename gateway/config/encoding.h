#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gw::config {

struct BadByte {
    int line = 1;
    int column = 1;
    std::string what;
};

/// The first byte of `text` that a configuration may not have: not UTF-8, a control character other than a tab or a new
/// line, a carriage return without its line feed.
std::optional<BadByte> find_bad_byte(std::string_view text);

/// How many bytes the UTF-8 character at the start of `text` has; 0: it is none. No overlong forms, no surrogates.
std::size_t utf8_size(std::string_view text);

/// Without the byte order mark some editors write.
std::string_view without_mark(std::string_view text);

/// Fit for one line of a terminal: control characters, bytes that are not UTF-8 and what turns the direction of text
/// are written as escapes, the rest stays. Characters on the line: `columns`, when given.
std::string printable(std::string_view text, std::size_t* columns = nullptr);

/// "text" in quotes, printable, cut after 60 bytes.
std::string in_quotes(std::string_view text);

} // namespace gw::config
