#pragma once

#include "netfilter/settings.h"

namespace gw::netfilter {

/// Whether `to` and `ports` of the interception hold the destination, and `except.to` does not. Pure.
bool allows(const Intercept& intercept, const Endpoint& destination);

/// Whether `except.from` leaves this client alone. Pure.
bool excepts(const Intercept& intercept, const Address& client);

} // namespace gw::netfilter
