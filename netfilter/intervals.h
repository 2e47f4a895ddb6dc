#pragma once

#include "gateway/base/endpoint.h"
#include "netfilter/settings.h"

#include <string>
#include <vector>

namespace gw::netfilter {

/// The networks of one family as the elements of an nft interval set: sorted, overlapping and touching ones made one,
/// written as nft itself prints them (`192.0.2.1`, `192.0.2.0/24`, `192.0.2.1-192.0.2.6`). Pure.
std::vector<std::string> interval_texts(const std::vector<Network>& networks, bool v6);

/// The same of port ranges: `80`, `8000-8080`.
std::vector<std::string> interval_texts(const std::vector<PortRange>& ports);

} // namespace gw::netfilter
