#pragma once

#include "gateway/intake/listener.h"
#include "gateway/link/order.h"
#include "netfilter/plan.h"

#include <optional>
#include <vector>

namespace gw::keeper {

/// A listening socket the keeper holds. It stays open when the data process dies, so that no client is refused.
struct HeldSocket {
    link::SocketName name;
    Endpoint asked; ///< as configured; port 0 for interception
    bool intercepting = false;
    bool datagrams = false;
    Descriptor socket;
    netfilter::Mode mode = netfilter::Mode::tproxy; ///< of the interception
};
using HeldSockets = std::vector<HeldSocket>;

std::vector<link::SocketName> names_of(const HeldSockets& sockets);

/// Whether a configuration with this listener needs the socket.
bool serves(const HeldSocket& socket, const intake::ListenerSettings& listener);
/// The listener with only those addresses that no held socket serves; nothing when it has none left.
std::optional<intake::ListenerSettings> unserved(const HeldSockets& held, const intake::ListenerSettings& listener);
/// A second descriptor of the same socket.
HeldSocket copy_of(const HeldSocket& socket);

/// What a configuration needs, compared with what is held.
struct SocketChange {
    std::vector<std::size_t> kept; ///< indexes into what is held
    HeldSockets opened;            ///< bound and listening
};

/// Opens what is missing; all or nothing. Errors: of `intake::open_listener`.
Result<SocketChange> open_missing(const HeldSockets& held, const std::vector<intake::ListenerSettings>& listeners,
                                  std::size_t workers, const intake::Settings& settings, std::uint32_t own_mark);

/// The captures of all intercepting listeners, with the ports their sockets got.
std::vector<netfilter::Capture> captures_of(const std::vector<intake::ListenerSettings>& listeners,
                                            const std::vector<link::SocketName>& sockets);

} // namespace gw::keeper
