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
/// Errors: `system`, side gateway; when the kernel knows none (`external`, `redirect`) one that `is_unknown`. `denied`,
/// side gateway, when conntrack has the connection the wrong way round.
Result<OriginalDestination> original_destination(int socket, Mode mode, const Endpoint& client);

/// Conntrack has no such connection, or is not there at all. That says nothing about where the client was going.
bool is_unknown(const Error& error);

} // namespace gw::netfilter
