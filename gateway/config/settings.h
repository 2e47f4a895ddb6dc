#pragma once

#include "gateway/control/settings.h"
#include "gateway/datagram/settings.h"
#include "gateway/filters/settings.h"
#include "gateway/http/settings.h"
#include "gateway/intake/settings.h"
#include "gateway/proxy/settings.h"
#include "gateway/relay/settings.h"
#include "gateway/route/settings.h"
#include "gateway/session/settings.h"
#include "gateway/upstream/settings.h"
#include "netfilter/settings.h"
#include "waf/settings.h"

#include <vector>

namespace gw::config {

/// What belongs to a route beside choosing it; same index as `routes`.
struct RouteExtras {
    filters::HeaderEdits request_headers;
    filters::HeaderEdits response_headers;
    std::size_t waf_policy = 0; ///< index into waf.policies
    std::size_t pool = 0;       ///< index into pools, when `to` is one
};

/// The whole configuration, every room's part.
struct Settings {
    std::vector<intake::ListenerSettings> listeners;
    std::vector<route::RouteSettings> routes;
    std::vector<RouteExtras> route_extras;
    std::vector<upstream::PoolSettings> pools;
    Problems warnings; ///< what is no mistake, and can hardly be meant
    waf::Settings waf;
    netfilter::Settings netfilter;
    intake::Settings intake;
    relay::Settings relay;
    upstream::Settings upstream;
    datagram::Settings datagram;
    proxy::Settings proxy;
    session::Settings session;
    control::Settings control;
};

} // namespace gw::config
