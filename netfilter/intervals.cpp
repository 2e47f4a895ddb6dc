#include "netfilter/intervals.h"

#include "gateway/base/networks.h"

#include <algorithm>

namespace gw::netfilter {
namespace {

/// The length of the prefix that is exactly this range, or -1.
int prefix_of(const AddressRange& range)
{
    const std::size_t size = range.first.size();
    const auto bit_of = [](const Address& address, std::size_t bit) {
        return (address.data()[bit / 8] >> (7 - bit % 8)) & 1;
    };
    std::size_t prefix = 0;
    while (prefix < size * 8 && bit_of(range.first, prefix) == bit_of(range.last, prefix)) ++prefix;
    for (std::size_t bit = prefix; bit < size * 8; ++bit)
        if (bit_of(range.first, bit) != 0 || bit_of(range.last, bit) != 1) return -1;
    return static_cast<int>(prefix);
}

std::string text_of(const AddressRange& range)
{
    const int prefix = prefix_of(range);
    if (prefix < 0) return range.first.text() + '-' + range.last.text();
    if (static_cast<std::size_t>(prefix) == range.first.size() * 8) return range.first.text();
    return range.first.text() + '/' + std::to_string(prefix);
}

} // namespace

std::vector<std::string> interval_texts(const std::vector<Network>& networks, bool v6)
{
    std::vector<std::string> texts;
    for (const AddressRange& range : merged_ranges(networks, v6)) texts.push_back(text_of(range));
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
