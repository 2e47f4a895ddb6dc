#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/base/position.h"
#include "netfilter/settings.h"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace gw::intake {

enum class Protocol { automatic, http, tls, tcp };
enum class ClientAddress { keep, gateway };
enum class Otherwise { original, deny };

/// One entry of `listeners:`. Exactly one of `intercept` and `bind` is set.
struct ListenerSettings {
    std::string name; ///< given, or "listener-N"; unique
    Position where;
    std::optional<netfilter::Intercept> intercept;
    std::vector<Endpoint> bind;
    Protocol protocol = Protocol::automatic;
    ClientAddress client_address = ClientAddress::keep; ///< `bind` listeners default to gateway
    Otherwise otherwise = Otherwise::original;          ///< `default:`; `bind` listeners default to deny
};

/// How long and how much a client may take before we know what it speaks.
struct Settings {
    std::chrono::milliseconds hello_limit{10'000};  ///< accept to classified, once the client has begun
    std::chrono::milliseconds dial_early_after{20}; ///< a client silent that long may wait for the server to speak
    std::size_t max_hello_bytes = 16 * 1024;        ///< a ClientHello larger than this is refused
    int backlog = 4096;
};

} // namespace gw::intake
