#pragma once

#include "gateway/config/config.h"
#include "netfilter/doctor/doctor.h"

#include <vector>

namespace gw::ctl {

/// Where a route leads that is the same for every client.
struct Upstream {
    bool tls = false;
    std::string host; ///< a name or an address
    std::uint16_t port = 0;
    std::string where; ///< of the first such route
    friend bool operator==(const Upstream& a, const Upstream& b)
    {
        return a.tls == b.tls && a.host == b.host && a.port == b.port;
    }
};

/// Each once, in the order of the routes. Pure.
std::vector<Upstream> upstreams_of(const config::Settings& settings);

/// Resolves, connects to and, for https, checks the certificate of each, all at once, each within `limit`. An `ok` for
/// each check that was made and found nothing.
std::vector<doctor::Finding> try_upstreams(const std::vector<Upstream>& upstreams, std::uint32_t mark,
                                           std::chrono::milliseconds limit);

} // namespace gw::ctl
