#include "netfilter/intervals.h"

#include <algorithm>
#include <array>

namespace gw::netfilter {
namespace {

using Bytes = std::array<std::uint8_t, 16>; // IPv4: the first four, the rest zero

struct Range {
    Bytes first{};
    Bytes last{};
};

Range range_of(const Network& network)
{
    const std::size_t size = network.address.size();
    Range range;
    std::copy_n(network.address.data(), size, range.first.begin());
    range.last = range.first;
    for (std::size_t bit = network.prefix; bit < size * 8; ++bit)
        range.last[bit / 8] = static_cast<std::uint8_t>(range.last[bit / 8] | (0x80U >> bit % 8));
    return range;
}

/// The address after it; all zeros after the last one.
Bytes next_of(Bytes bytes, std::size_t size)
{
    for (std::size_t at = size; at-- > 0;)
        if (++bytes[at] != 0) break;
    return bytes;
}

bool is_all_ones(const Bytes& bytes, std::size_t size)
{
    return std::all_of(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size),
                       [](std::uint8_t byte) { return byte == 0xff; });
}

std::string text_of(const Bytes& bytes, bool v6)
{
    if (v6) return Address::v6(bytes).text();
    return Address::v4({bytes[0], bytes[1], bytes[2], bytes[3]}).text();
}

/// The length of the prefix that is exactly this range, or -1.
int prefix_of(const Range& range, std::size_t size)
{
    const auto bit_of = [](const Bytes& bytes, std::size_t bit) { return (bytes[bit / 8] >> (7 - bit % 8)) & 1; };
    std::size_t prefix = 0;
    while (prefix < size * 8 && bit_of(range.first, prefix) == bit_of(range.last, prefix)) ++prefix;
    for (std::size_t bit = prefix; bit < size * 8; ++bit)
        if (bit_of(range.first, bit) != 0 || bit_of(range.last, bit) != 1) return -1;
    return static_cast<int>(prefix);
}

std::string text_of(const Range& range, bool v6)
{
    const std::size_t size = v6 ? 16 : 4;
    const int prefix = prefix_of(range, size);
    if (prefix < 0) return text_of(range.first, v6) + '-' + text_of(range.last, v6);
    if (static_cast<std::size_t>(prefix) == size * 8) return text_of(range.first, v6);
    return text_of(range.first, v6) + '/' + std::to_string(prefix);
}

} // namespace

std::vector<std::string> interval_texts(const std::vector<Network>& networks, bool v6)
{
    const std::size_t size = v6 ? 16 : 4;
    std::vector<Range> ranges;
    for (const Network& network : networks)
        if (network.address.is_v6() == v6) ranges.push_back(range_of(network));
    std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
    std::vector<Range> merged;
    for (const Range& range : ranges) {
        const bool touches = !merged.empty() && (is_all_ones(merged.back().last, size) ||
                                                 range.first <= next_of(merged.back().last, size));
        if (touches)
            merged.back().last = std::max(merged.back().last, range.last);
        else
            merged.push_back(range);
    }
    std::vector<std::string> texts;
    for (const Range& range : merged) texts.push_back(text_of(range, v6));
    return texts;
}

std::vector<std::string> interval_texts(const std::vector<PortRange>& ports)
{
    std::vector<PortRange> sorted = ports;
    std::sort(sorted.begin(), sorted.end());
    std::vector<PortRange> merged;
    for (const PortRange& range : sorted) {
        if (!merged.empty() && range.first <= merged.back().last + 1)
            merged.back().last = std::max(merged.back().last, range.last);
        else
            merged.push_back(range);
    }
    std::vector<std::string> texts;
    for (const PortRange& range : merged)
        texts.push_back(range.first == range.last ? std::to_string(range.first)
                                                  : std::to_string(range.first) + '-' + std::to_string(range.last));
    return texts;
}

} // namespace gw::netfilter
