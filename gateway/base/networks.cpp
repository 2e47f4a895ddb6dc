#include "gateway/base/networks.h"

#include <algorithm>

namespace gw {
namespace {

using Bytes = std::array<std::uint8_t, 16>; // IPv4: the first four, the rest zero

Bytes bytes_of(const Address& address)
{
    Bytes bytes{};
    std::copy_n(address.data(), address.size(), bytes.begin());
    return bytes;
}

Address address_of(const Bytes& bytes, bool v6)
{
    return v6 ? Address::v6(bytes) : Address::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
}

AddressRange range_of(const Network& network)
{
    auto last = bytes_of(network.address);
    for (std::size_t bit = network.prefix; bit < network.address.size() * 8; ++bit)
        last[bit / 8] = static_cast<std::uint8_t>(last[bit / 8] | (0x80U >> bit % 8));
    return {network.address, address_of(last, network.address.is_v6())};
}

/// Whether the address after `last`, or one before that, is `first`.
bool reaches(const Address& last, const Address& first)
{
    auto next = bytes_of(last);
    for (std::size_t at = last.size(); at-- > 0;)
        if (++next[at] != 0) return first <= address_of(next, last.is_v6());
    return true; // it was the last of all
}

} // namespace

std::vector<AddressRange> merged_ranges(const std::vector<Network>& networks, bool v6)
{
    std::vector<AddressRange> ranges;
    for (const Network& network : networks)
        if (network.address.is_v6() == v6) ranges.push_back(range_of(network));
    std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<AddressRange> merged;
    for (const AddressRange& range : ranges) {
        if (!merged.empty() && reaches(merged.back().last, range.first))
            merged.back().last = std::max(merged.back().last, range.last);
        else
            merged.push_back(range);
    }
    return merged;
}

Networks::Networks(std::vector<Network> list)
    : list_(std::move(list)), v4_(merged_ranges(list_, false)), v6_(merged_ranges(list_, true))
{}

bool Networks::contains(const Address& address) const
{
    const auto& ranges = address.is_v6() ? v6_ : v4_;
    const auto after =
        std::upper_bound(ranges.begin(), ranges.end(), address,
                         [](const Address& one, const AddressRange& range) { return one < range.first; });
    return after != ranges.begin() && address <= std::prev(after)->last;
}

} // namespace gw
