#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/session/record.h"

#include <optional>
#include <string>
#include <string_view>

namespace gw::session {

/// Which connections are listed.
struct ConnectionFilter {
    std::string listener;            ///< empty: all
    std::optional<Network> client;   ///< none: all
    std::optional<Address> upstream; ///< none: all
    std::uint16_t upstream_port = 0; ///< 0: any
    std::size_t limit = 0;

    bool fits(const ConnectionRecord& record) const;
    bool fits(const datagram::Flow& flow) const;

private:
    bool fits(std::string_view of, const Address& from, const Endpoint& reached) const;
};

} // namespace gw::session
