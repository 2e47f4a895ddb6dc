#pragma once

#include "gateway/filters/headers.h"
#include "gateway/proxy/settings.h"
#include "gateway/route/table.h"
#include "gateway/upstream/settings.h"
#include "waf/settings.h"

#include <string>
#include <vector>

namespace gw::proxy {

/// What is done to the messages of one route.
struct RoutePlan {
    filters::HeaderEditor request_headers;
    filters::HeaderEditor response_headers;
    std::size_t waf_policy = 0; ///< number of a policy in `Site::waf`
    std::size_t pool = 0;       ///< number of a pool in `Site::pools`; used when the route leads to one
};

/// Everything of a generation that HTTP needs. Immutable.
struct Site {
    route::Table routes;
    std::vector<RoutePlan> plans; ///< same numbers as the routes
    RoutePlan otherwise;          ///< for what no route matches
    waf::Settings waf;
    Settings settings;
    std::vector<upstream::PoolSettings> pools{};
    std::string instance{}; ///< what this process calls itself in CDN-Loop; empty: loops are not looked for

    const RoutePlan& plan_of(const route::Decision& decision) const
    {
        return decision.route < 0 ? otherwise : plans[static_cast<std::size_t>(decision.route)];
    }
};

} // namespace gw::proxy
