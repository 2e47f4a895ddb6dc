#pragma once

#include "gateway/ctl/json.h"
#include "gateway/ctl/text.h"

#include <string>

namespace gw::ctl {

/// The answer of /v1/connections as a table, the newest last; `top`: the busiest first, by bytes of both directions.
std::string connections_view(const Json& connections, bool top, const Look& look);

/// The answer of /v1/routes as a table, in the order they are tried. `now`: seconds since 1970, for the last hit.
std::string routes_view(const Json& routes, std::uint64_t now, const Look& look);

/// One record of /v1/log as a line.
std::string record_line(const Json& record, const Look& look);

} // namespace gw::ctl
