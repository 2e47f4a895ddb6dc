#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/base/log.h"

#include <chrono>
#include <optional>
#include <string>

namespace gw::control {

struct Settings {
    std::string socket = "/run/gateway/control.sock";
    std::string group = "gateway";   ///< may connect beside root; missing on the host: root only
    std::optional<Endpoint> metrics; ///< Prometheus over HTTP; none: only over the socket
    log::Level level = log::Level::info;
    std::size_t workers = 0;                       ///< 0: one a processor
    std::chrono::milliseconds drain_limit{30'000}; ///< on stop, connections under way get that long
};

} // namespace gw::control
