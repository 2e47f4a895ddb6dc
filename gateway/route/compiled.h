#pragma once

#include "gateway/base/position.h"
#include "gateway/route/destination.h"
#include "gateway/route/pattern.h"
#include "gateway/route/settings.h"

namespace gw::route {

/// A route ready to be matched.
struct Compiled {
    HostPattern host;
    PathPattern path;
    std::string method;                 ///< empty: any
    std::vector<std::string> listeners; ///< empty: all
    Names names;                        ///< what host and path bind
    Destination to;
};

/// A route that fits, and how.
struct Match {
    Bindings bindings;
    std::size_t taken = 0; ///< bytes of the path that its pattern took
};

/// Adds to `problems` all that is wrong with the route; then the answer is of no use.
Compiled compile(const RouteSettings& route, std::size_t index, Problems& problems);

bool takes_listener(const Compiled& route, std::string_view listener);
/// Whether the route fits in every respect. `match` is scratch, and says how when it does.
bool matches(const Compiled& route, const Request& request, Match& match);
/// As above when nothing but the name is known.
bool matches_name(const Compiled& route, const Request& request, Match& match);

/// The reason why it fits or not, with the values. For people.
std::string reason(const RouteSettings& settings, const Compiled& route, const Request& request);

} // namespace gw::route
