#include "netfilter/reach.h"

#include <algorithm>

namespace gw::netfilter {
namespace {

bool any_contains(const std::vector<Network>& networks, const Address& address)
{
    return std::any_of(networks.begin(), networks.end(),
                       [&](const Network& network) { return network.contains(address); });
}

} // namespace

bool allows(const Intercept& intercept, const Endpoint& destination)
{
    const auto address = destination.address.unmapped();
    const bool port = std::any_of(intercept.ports.begin(), intercept.ports.end(), [&](const PortRange& range) {
        return range.first <= destination.port && destination.port <= range.last;
    });
    return port && any_contains(intercept.to, address) && !any_contains(intercept.except_to, address);
}

bool excepts(const Intercept& intercept, const Address& client)
{
    return any_contains(intercept.except_from, client.unmapped());
}

} // namespace gw::netfilter
