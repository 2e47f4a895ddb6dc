#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/base/flow.h"
#include "gateway/base/result.h"
#include "gateway/intake/settings.h"
#include "netfilter/local_addresses.h"

namespace gw::intake {

/// What is known of a connection accepted on `listener`: its client and, by the listener's mode, where it was going:
///
///   bind       the gateway itself
///   tproxy     the socket's own name
///   redirect   what conntrack remembers, asked in the family of the client
///   external   a socket whose name is not one the listener is bound to was handed over by tproxy: its name. Else what
///              conntrack remembers. When conntrack does not know, or nothing was changed on this host, the name in the
///              request will decide (`Recovered::name`), and `destination` is where the client came in.
///
/// `local`: the addresses of this host, for external listeners bound to all of them; null: none is known.
/// Errors: `denied`, side client, when an intercepting listener was dialled directly, or (external) the destination is
/// none that `to` and `ports` allow; `denied`, side gateway, when conntrack has it the wrong way round; `system`.
Result<Flow> learn_flow(int socket, const Endpoint& client, const ListenerSettings& listener,
                        const netfilter::LocalAddresses* local = nullptr);

} // namespace gw::intake
