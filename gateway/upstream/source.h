#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/upstream/dialer.h"
#include "gateway/upstream/settings.h"

#include <string_view>

namespace gw::upstream {

/// Whose address a connection is about to have, and why it is not the one that was asked for.
struct SourcePlan {
    Source source = Source::gateway;
    std::string_view fallback{}; ///< empty: it is

    /// The port, then the address are taken: goes on without.
    void settle_for_less();
};

/// What of the client's address and port can be had towards `to`, before any socket is asked. Pure, but for the table
/// of own addresses.
SourcePlan plan_source(const Target& target, const Endpoint& to, const Guard& guard);

/// A socket that is ready to connect, with the source of `plan`, which settles for less when the kernel refuses it.
/// Errors: `system`.
Result<Descriptor> open_socket(const Target& target, const Endpoint& to, const Settings& settings, SourcePlan& plan);

/// Whether a connect failed because its address and port are taken.
bool is_taken(const boost::system::error_code& failed);

/// What a connect that failed is called. `operation_aborted`: it took too long.
Error connect_error(const Target& target, const Endpoint& to, Source source, const boost::system::error_code& failed);

} // namespace gw::upstream
