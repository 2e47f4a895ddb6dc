#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gw::ctl {

/// How text is to look where it goes.
struct Look {
    bool colour = false;
    std::size_t width = 0; ///< columns; 0: as wide as it is
};

enum class Colour { none, strong, faint, red, green, yellow };
std::string paint(const Look& look, Colour colour, std::string_view text);

/// One line, printable ASCII: for everything that a client, a server or the daemon wrote. See log::append_plain.
std::string plain(std::string_view text);
/// Several lines of an operator's own text: what would move the cursor or change the terminal becomes '?', else as it
/// is.
std::string harmless(std::string_view text);
/// The first line of such a text, and " ..." when there are more.
std::string first_line(std::string_view text);

std::string grouped(std::uint64_t count);                ///< 1,234,567
std::string short_count(std::uint64_t count);            ///< 987, 12.3k, 4.5M
std::string bytes_text(std::uint64_t bytes);             ///< 12 B, 1.2 KiB, 45 MiB
std::string span_text(std::uint64_t seconds);            ///< 12s, 3m 4s, 5h 6m, 7d 8h
std::string limit_text(std::chrono::milliseconds limit); ///< 250ms, 5s, 2m, 1h
std::string number_text(double number);                  ///< one digit after the point, none from 100 on

/// "one thing", "2 things".
std::string counted(std::uint64_t count, std::string_view one, std::string_view many);

} // namespace gw::ctl
