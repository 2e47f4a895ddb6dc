#pragma once

#include "gateway/datagram/settings.h"
#include "gateway/intake/settings.h"
#include "gateway/proxy/site.h"
#include "gateway/relay/settings.h"
#include "gateway/session/settings.h"
#include "gateway/tls/dial.h"
#include "gateway/upstream/guard.h"
#include "gateway/upstream/settings.h"
#include "waf/pool.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace gw::session {

/// A configuration, built. Immutable; each connection keeps the one it began with, and it dies with its last one.
struct Generation {
    std::uint64_t number = 0;
    std::vector<intake::ListenerSettings> listeners;
    proxy::Site site;
    std::shared_ptr<waf::InspectorProcesses> inspectors; ///< null: every policy is off
    std::shared_ptr<const upstream::Guard> guard;
    std::shared_ptr<const tls::DialContext> tls;
    intake::Settings intake;
    relay::Settings relay;
    upstream::Settings upstream;
    Settings session;
    datagram::Settings datagram{};
    bool introduces = false; ///< a pool wants PROXY headers

    const intake::ListenerSettings* listener(std::string_view name) const
    {
        const auto found =
            std::find_if(listeners.begin(), listeners.end(), [&](const auto& l) { return l.name == name; });
        return found == listeners.end() ? nullptr : &*found;
    }
};
using GenerationPtr = std::shared_ptr<const Generation>;

} // namespace gw::session
