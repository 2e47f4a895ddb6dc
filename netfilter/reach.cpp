#include "netfilter/reach.h"

#include <algorithm>

namespace gw::netfilter {

bool allows(const Intercept& intercept, const Endpoint& destination)
{
    const auto address = destination.address.unmapped();
    const bool port = std::any_of(intercept.ports.begin(), intercept.ports.end(), [&](const PortRange& range) {
        return range.first <= destination.port && destination.port <= range.last;
    });
    return port && intercept.to.contains(address) && !intercept.except_to.contains(address);
}

bool excepts(const Intercept& intercept, const Address& client)
{
    return intercept.except_from.contains(client.unmapped());
}

} // namespace gw::netfilter
