#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/endpoint.h"
#include "gateway/base/flow.h"
#include "gateway/base/result.h"
#include "gateway/intake/settings.h"

#include <vector>

namespace gw::intake {

/// One listening socket: of one listener, one address, one worker.
struct ListeningSocket {
    std::string listener;
    Endpoint bound; ///< with the port the kernel gave
    std::size_t worker = 0;
    Descriptor socket;
};

/// Opens the sockets of one listener for `workers` workers: a SO_REUSEPORT group each address, non-blocking, close on
/// exec, TCP_NODELAY inherited. An intercepting listener: transparent (IP_TRANSPARENT), on 127.0.0.1 and ::1, at a port
/// the kernel chooses (the same for all workers), reachable through the rules only. All or none.
/// Errors: `denied` (no privilege), `refused` (address in use), `system`; `what` names the address and says what to do.
Result<std::vector<ListeningSocket>> open_listener(const ListenerSettings& listener, std::size_t workers,
                                                   const Settings& settings, std::uint32_t own_mark);

/// What is known of a connection accepted on `listener`: client and original destination by the listener's mode.
/// Errors: `denied`, side client, when an intercepting listener was dialled directly; `system`.
Result<Flow> learn_flow(int socket, const Endpoint& client, const ListenerSettings& listener);

} // namespace gw::intake
