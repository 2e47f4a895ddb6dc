#pragma once

#include "gateway/http/settings.h"

#include <chrono>
#include <cstddef>

namespace gw::proxy {

struct Settings {
    http::Limits limits;
    std::chrono::milliseconds head_limit{10'000};           ///< first byte of a request to its last header
    std::chrono::milliseconds keep_alive_limit{60'000};     ///< between requests
    std::chrono::milliseconds at_hand_limit{1'000};         ///< so long a client's own upstream connection is with it
    std::chrono::milliseconds first_request_limit{1'000};   ///< of a connection without one when the gateway stops
    std::chrono::milliseconds body_idle_limit{30'000};      ///< no byte of a body in either direction
    std::chrono::milliseconds upgraded_idle_limit{600'000}; ///< WebSocket and the like
    std::chrono::milliseconds body_grace{20'000};           ///< before `least_body_bytes_per_second` holds
    std::size_t least_body_bytes_per_second = 100;          ///< of a request's body, averaged; 0: however slow
    std::size_t own_hops = 4;                               ///< how often one request may pass this very gateway
    std::size_t drain_bytes = 64 * 1024;                    ///< of a body nobody wants, before the connection is closed
    std::size_t requests_per_connection = 100'000;
};

} // namespace gw::proxy
