#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/base/networks.h"
#include "gateway/base/position.h"
#include "netfilter/settings.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace gw::intake {

enum class Protocol { automatic, http, tls, tcp, udp };
enum class ClientAddress { keep, keep_with_port, gateway };
enum class Otherwise { original, deny, pool };

/// A PROXY header must come first; see intake/proxy_header.h.
struct ProxyProtocol {
    Networks trusted; ///< who may send one; empty: nobody
};

/// One entry of `listeners:`. `intercept` or `bind` is set; both where others' rules lead to `bind` (mode external).
struct ListenerSettings {
    std::string name; ///< given, or "listener-N"; unique
    Position where;
    std::optional<netfilter::Intercept> intercept;
    std::vector<Endpoint> bind;
    Protocol protocol = Protocol::automatic;
    ClientAddress client_address = ClientAddress::keep; ///< `bind` listeners default to gateway
    Otherwise otherwise = Otherwise::original;          ///< `default:`; `bind` listeners default to deny
    std::size_t max_connections = 0;                    ///< at once; 0: only the limit for all listeners together
    std::size_t max_per_client = 0;                     ///< the same, of one client (IPv6: one /64)
    std::size_t pool = 0;                               ///< number of the pool, when `otherwise` is one
    std::string pool_name{};                            ///< and its name
    std::optional<ProxyProtocol> proxy_protocol{};
    bool serves_nobody = false; ///< nothing leads on from here: connections end once their PROXY header is read

    bool takes_datagrams() const { return intercept && intercept->transport == netfilter::Transport::udp; }
    bool is_external() const { return intercept && intercept->mode == netfilter::Mode::external; }
    /// Waits at the addresses of `bind`; else where the mode of interception says.
    bool binds() const { return !intercept || is_external(); }
    /// An external listener at `[::]` that has no address of IPv4 at this port serves IPv4 as well.
    bool serves_both_families(const Endpoint& at) const
    {
        if (!is_external() || at.address.is_v4() || !at.address.is_unspecified()) return false;
        return std::none_of(bind.begin(), bind.end(),
                            [&](const Endpoint& other) { return other.address.is_v4() && other.port == at.port; });
    }
};

/// How long and how much a client may take before we know what it speaks.
struct Settings {
    std::chrono::milliseconds hello_limit{10'000};       ///< accept to classified, once the client has begun
    std::chrono::milliseconds proxy_header_limit{5'000}; ///< accept to the whole PROXY header, where one must come
    std::chrono::milliseconds dial_early_after{20};      ///< a client silent that long may wait for the server to speak
    std::size_t max_hello_bytes = 16 * 1024;             ///< a ClientHello larger than this is refused
    int backlog = 4096;
};

} // namespace gw::intake
