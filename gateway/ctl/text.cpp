#include "gateway/ctl/text.h"

#include "gateway/base/log.h"

#include <array>
#include <cstdio>

namespace gw::ctl {

namespace {

std::string with_one_digit(double number, const char* unit)
{
    std::array<char, 48> text{};
    const int length = std::snprintf(text.data(), text.size(), number < 99.95 ? "%.1f%s" : "%.0f%s", number, unit);
    return {text.data(), static_cast<std::size_t>(length)};
}

std::string two_parts(std::uint64_t large, const char* large_unit, std::uint64_t small, const char* small_unit)
{
    auto text = std::to_string(large) + large_unit;
    if (small != 0) text += ' ' + std::to_string(small) + small_unit;
    return text;
}

} // namespace

std::string paint(const Look& look, Colour colour, std::string_view text)
{
    constexpr std::array codes{"", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m"};
    if (!look.colour || colour == Colour::none) return std::string(text);
    return codes[static_cast<std::size_t>(colour)] + std::string(text) + "\x1b[0m";
}

std::string plain(std::string_view text)
{
    std::string into;
    log::append_plain(into, text);
    return into;
}

std::string first_line(std::string_view text)
{
    const auto end = text.find('\n');
    if (end == std::string_view::npos || end + 1 == text.size()) return harmless(text.substr(0, end));
    return harmless(text.substr(0, end)) + " ...";
}

std::string harmless(std::string_view text)
{
    std::string into;
    into.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        const auto byte = static_cast<unsigned char>(text[at]);
        // U+0080..U+009F are written c2 80..c2 9f; some terminals obey them like ESC.
        const bool second_half =
            byte == 0xc2 && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xa0;
        if (second_half) {
            into += '?';
            ++at;
        } else if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f) {
            into += '?';
        } else {
            into += text[at];
        }
    }
    return into;
}

std::string grouped(std::uint64_t count)
{
    auto digits = std::to_string(count);
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
        digits.insert(static_cast<std::size_t>(at), ",");
    return digits;
}

std::string short_count(std::uint64_t count)
{
    if (count < 10'000) return std::to_string(count);
    const auto number = static_cast<double>(count);
    if (number < 999'500) return with_one_digit(number / 1e3, "k");
    if (number < 999'500'000) return with_one_digit(number / 1e6, "M");
    return with_one_digit(number / 1e9, "G");
}

std::string bytes_text(std::uint64_t bytes)
{
    constexpr std::array units{" KiB", " MiB", " GiB", " TiB", " PiB"};
    if (bytes < 1024) return std::to_string(bytes) + " B";
    auto number = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    while (number >= 1023.5 && unit + 1 < units.size()) number /= 1024, ++unit;
    return with_one_digit(number, units[unit]);
}

std::string span_text(std::uint64_t seconds)
{
    if (seconds < 60) return std::to_string(seconds) + "s";
    if (seconds < 3'600) return two_parts(seconds / 60, "m", seconds % 60, "s");
    if (seconds < 86'400) return two_parts(seconds / 3'600, "h", seconds / 60 % 60, "m");
    return two_parts(seconds / 86'400, "d", seconds / 3'600 % 24, "h");
}

std::string limit_text(std::chrono::milliseconds limit)
{
    const auto count = limit.count();
    if (count % 1'000 != 0) return std::to_string(count) + "ms";
    if (count % 3'600'000 == 0 && count != 0) return std::to_string(count / 3'600'000) + "h";
    if (count % 60'000 == 0 && count != 0) return std::to_string(count / 60'000) + "m";
    return std::to_string(count / 1'000) + "s";
}

std::string number_text(double number) { return with_one_digit(number, ""); }

std::string counted(std::uint64_t count, std::string_view one, std::string_view many)
{
    return count == 1 ? "one " + std::string(one) : grouped(count) + ' ' + std::string(many);
}

} // namespace gw::ctl
