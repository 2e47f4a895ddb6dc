#include "gateway/config/values.h"

#include <charconv>
#include <limits>

namespace gw::config {

namespace {

std::optional<std::uint64_t> parse_digits(std::string_view text, int base)
{
    std::uint64_t value = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (wrong != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<std::uint64_t> parse_decimal(std::string_view text)
{
    if (text.size() > 1 && text.front() == '0') return std::nullopt;
    return parse_digits(text, 10);
}

std::optional<std::uint64_t> times(std::optional<std::uint64_t> number, std::uint64_t unit)
{
    // Half of what fits, so that it also fits the signed count of a duration.
    if (!number || *number > std::numeric_limits<std::uint64_t>::max() / 2 / unit) return std::nullopt;
    return *number * unit;
}

std::size_t digits_of(std::string_view text)
{
    const auto end = text.find_first_not_of("0123456789");
    return end == std::string_view::npos ? text.size() : end;
}

} // namespace

std::optional<std::uint64_t> parse_integer(std::string_view text)
{
    if (text.starts_with("0x")) return parse_digits(text.substr(2), 16);
    return parse_decimal(text);
}

std::optional<std::uint64_t> parse_size(std::string_view text)
{
    const auto digits = digits_of(text);
    const auto number = parse_decimal(text.substr(0, digits));
    const auto unit = text.substr(digits);
    if (unit.empty() || unit == "B") return times(number, 1);
    if (unit == "KiB") return times(number, 1024);
    if (unit == "MiB") return times(number, 1024 * 1024);
    if (unit == "GiB") return times(number, 1024 * 1024 * 1024);
    return std::nullopt;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text)
{
    const auto digits = digits_of(text);
    const auto number = parse_decimal(text.substr(0, digits));
    const auto unit = text.substr(digits);
    std::optional<std::uint64_t> milliseconds;
    if (unit == "ms") milliseconds = times(number, 1);
    if (unit == "s") milliseconds = times(number, 1'000);
    if (unit == "m") milliseconds = times(number, 60'000);
    if (unit == "h") milliseconds = times(number, 3'600'000);
    if (!milliseconds) return std::nullopt;
    return std::chrono::milliseconds{static_cast<std::int64_t>(*milliseconds)};
}

std::optional<netfilter::PortRange> parse_ports(std::string_view text)
{
    const auto dash = text.find('-');
    const auto first = parse_decimal(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_decimal(text.substr(dash + 1));
    if (!first || !last || *first < 1 || *last > 65'535 || *first > *last) return std::nullopt;
    return netfilter::PortRange{static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)};
}

} // namespace gw::config
