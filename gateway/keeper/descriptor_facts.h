#pragma once

#include "gateway/keeper/descriptor_name.h"

namespace gw::keeper {

/// A descriptor as the kernel describes it.
struct DescriptorFacts {
    Endpoint bound;
    bool is_tcp = false;
    bool is_udp = false;
    bool listening = false;   ///< TCP only
    bool shares_port = false; ///< SO_REUSEPORT
    bool transparent = false;
    bool only_v6 = false;       ///< an IPv6 socket that does not serve IPv4
    bool in_our_network = true; ///< it was made in the network namespace of this process
    std::uint32_t mark = 0;
};

/// Errors: `malformed`: no socket of IPv4 or IPv6; `system`.
Result<DescriptorFacts> facts_of(int descriptor);

/// Why what is called so cannot be that socket of ours, for a person; empty: it is. Pure.
std::string difference(const DescriptorName& name, const DescriptorFacts& facts);

} // namespace gw::keeper
