#pragma once

#include "gateway/base/endpoint.h"

#include <initializer_list>
#include <vector>

namespace gw {

/// All addresses of one family from one to another, both inclusive.
struct AddressRange {
    Address first{};
    Address last{};
};

/// What the networks of one family hold: sorted, overlapping and touching ones made one. Pure.
std::vector<AddressRange> merged_ranges(const std::vector<Network>& networks, bool v6);

/// A list of networks as somebody wrote it, in which an address is found without going through all of them.
class Networks {
public:
    Networks() = default;
    // Not explicit: it is that list.
    Networks(std::vector<Network> list);
    Networks(std::initializer_list<Network> list) : Networks(std::vector<Network>(list)) {}

    /// Whether one of them holds the address. IPv4 and IPv6 are apart: unmap v4-mapped ones first.
    bool contains(const Address& address) const;

    const std::vector<Network>& list() const { return list_; }
    operator const std::vector<Network>&() const { return list_; }
    auto begin() const { return list_.begin(); }
    auto end() const { return list_.end(); }
    bool empty() const { return list_.empty(); }
    std::size_t size() const { return list_.size(); }
    const Network& at(std::size_t index) const { return list_.at(index); }

private:
    std::vector<Network> list_;
    std::vector<AddressRange> v4_, v6_;
};

} // namespace gw
