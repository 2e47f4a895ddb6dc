#pragma once

#include "gateway/ctl/json.h"
#include "gateway/ctl/text.h"

#include <map>
#include <string>
#include <string_view>

namespace gw::ctl {

/// How connections are listed.
struct ConnectionOrder {
    enum class By { arrival, bytes, rate, age, requests };
    By by = By::arrival;                                  ///< the largest first; arrival: as they are given
    std::size_t most = 0;                                 ///< rows; 0: all
    const std::map<std::string, double>* rates = nullptr; ///< bytes a second by id; null: not measured, no such column
};
/// "bytes", "rate", "age", "requests"; anything else: arrival.
ConnectionOrder::By order_named(std::string_view word);

/// The answer of /v1/connections as a table, and a line that says how many are not shown.
std::string connections_view(const Json& answer, const ConnectionOrder& order, const Look& look);

/// The answer of /v1/routes as a table, in the order they are tried. `now`: seconds since 1970, for the last hit.
std::string routes_view(const Json& routes, std::uint64_t now, const Look& look);

/// One record of /v1/log as a line.
std::string record_line(const Json& record, const Look& look);

} // namespace gw::ctl
