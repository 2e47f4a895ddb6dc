#pragma once

#include "gateway/route/pattern.h"
#include "gateway/route/table.h"

#include <cstdint>

namespace gw::route {

/// What stands behind `to:`, taken apart.
struct Destination {
    Action action = Action::deny; ///< forward_pool: which one is known to whoever reads the settings
    std::string scheme{};         ///< "http://", "https://"; empty: a redirect to a path of the same site
    std::vector<Part> host{};     ///< pieces to be put one behind the other, dots included
    std::uint16_t port = 0;       ///< forward_url: always; redirect: 0 when the URL has none
    int port_binding = -1;
    bool has_path = false;    ///< then only the remainder is appended, else the whole path
    std::vector<Part> path{}; ///< pieces, slashes included
    std::string query{};      ///< of its own, with its '?'
    std::string text{};       ///< respond
    int status = 0;           ///< redirect, respond

    /// A client has a say in which host or port it is.
    bool is_bound_to_client() const;
};

/// `names`: what the route's host and path bind; null when that is not known, then any name is taken.
/// Errors: `malformed`, `what` says what to write instead.
Result<Destination> parse_destination(std::string_view text, const Names* names);

/// Whether what the names hold may stand in the host and port it is to be put into. `unfit` (may be null) gets the
/// name that may not.
bool can_hold(const Destination& to, const Bindings& bindings, int* unfit);

/// Writes `into` all but the route's number. `taken`: the bytes of the path its pattern took.
void compose(const Destination& to, const Bindings& bindings, const Request& request, std::size_t taken,
             Decision& into);

} // namespace gw::route
