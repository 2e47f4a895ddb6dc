#pragma once

#include "netfilter/plan.h"

#include <initializer_list>
#include <string>
#include <string_view>

namespace gw::netfilter::testing {

inline std::vector<Network> networks(std::initializer_list<std::string_view> texts)
{
    std::vector<Network> parsed;
    for (const auto text : texts) parsed.push_back(Network::parse(text).value());
    return parsed;
}

inline Capture capture(std::string name, std::initializer_list<std::string_view> to, std::vector<PortRange> ports)
{
    Capture made;
    made.listener = std::move(name);
    made.intercept.to = networks(to);
    made.intercept.ports = std::move(ports);
    made.port_v4 = 4000;
    made.port_v6 = 4006;
    return made;
}

} // namespace gw::netfilter::testing
