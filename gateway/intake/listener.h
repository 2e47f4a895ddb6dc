#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/endpoint.h"
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
/// exec, TCP_NODELAY inherited. By the mode of interception: `tproxy`, transparent (IP_TRANSPARENT) on 127.0.0.1 and
/// ::1, at a port the kernel chooses (the same for all workers); `redirect`, the same on all addresses; `external`,
/// transparent where `bind` says. One for UDP: with sockets beside it that answer from its ports below 1024
/// (netfilter/reply_socket.h). `only`: of `bind`, those to open; null: all. All or none. Errors: `denied` (no
/// privilege), `refused` (address in use), `system`; `what` names the address and says what to do.
Result<std::vector<ListeningSocket>> open_listener(const ListenerSettings& listener, std::size_t workers,
                                                   const Settings& settings, std::uint32_t own_mark,
                                                   const std::vector<Endpoint>* only = nullptr);

/// That somebody else has the address, as `open_listener` says it: `refused`.
Error address_in_use(const Endpoint& at);

/// Whether connections may begin at a listening socket of TCP. While they may not, a SYN is dropped, and the client
/// sends it again after a second; a connection that had begun gets ready and can be accepted. Holds for all copies of
/// the descriptor. Errors: `system`.
Result<> let_begin(int listening_socket, bool may);

} // namespace gw::intake
