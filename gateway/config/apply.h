#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/config/draft.h"
#include "gateway/config/values.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace gw::config {

// Values out of nodes that were found to fit their type.

inline std::uint64_t integer_in(const Node& node) { return *parse_integer(node.text); }
inline std::uint64_t size_in(const Node& node) { return *parse_size(node.text); }
inline std::chrono::milliseconds duration_in(const Node& node) { return *parse_duration(node.text); }

inline std::vector<std::string> texts_in(const Node& node)
{
    std::vector<std::string> texts;
    for (const auto& item : node.items) texts.push_back(item.text);
    return texts;
}

inline std::vector<Network> networks_in(const Node& node)
{
    std::vector<Network> networks;
    for (const auto& item : node.items) networks.push_back(*Network::parse(item.text));
    return networks;
}

inline std::vector<Endpoint> endpoints_in(const Node& node)
{
    std::vector<Endpoint> endpoints;
    for (const auto& item : node.items) endpoints.push_back(*Endpoint::parse(item.text));
    return endpoints;
}

} // namespace gw::config
