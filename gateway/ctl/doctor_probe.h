#pragma once

#include "gateway/config/config.h"
#include "gateway/ctl/client.h"
#include "netfilter/doctor/doctor.h"

#include <vector>

namespace gw::ctl {

/// Sends a connection of its own through the kernel's rules to a listener, and asks gatewayd whether it arrived, and
/// with which destination. Needs root and a gatewayd in this network.
///
/// The client is a network namespace that only a thread of this process holds, on a pair of interfaces made for it,
/// with addresses of 198.18.0.0/15 and 2001:2::/48 (RFC 2544 and RFC 5180: for tests, never routed). Rules of the kind
/// that gatewayd's are of drop everything of theirs that is to leave the host, so no server ever hears of it. All of
/// that goes with the process, however it ends. One finding for each family.
std::vector<doctor::Finding> probe(const config::Settings& settings, const Client& daemon);

} // namespace gw::ctl
