#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/base/flow.h"
#include "netfilter/settings.h"

namespace gw::netfilter {

struct OriginalDestination {
    Endpoint endpoint;
    Recovered recovered;
};

/// Where the client of an accepted socket was going: for `tproxy` the socket's own name; for `redirect` and `external`
/// conntrack, asked at the level of the unmapped family of `client`, never by trial.
/// Errors: `system` when the kernel knows none (`external`, `redirect`).
Result<OriginalDestination> original_destination(int socket, Mode mode, const Endpoint& client);

} // namespace gw::netfilter
