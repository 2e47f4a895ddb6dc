#include "gateway/upstream/guard.h"

#include <algorithm>

namespace gw::upstream {

Guard::Guard(std::shared_ptr<const netfilter::LocalAddresses> local, std::vector<Endpoint> own_sockets)
    : local_(std::move(local)), own_(std::move(own_sockets))
{}

bool Guard::is_local(const Address& address) const
{
    if (address.is_unspecified() || address.is_loopback() || address.is_multicast()) return true;
    return local_ != nullptr && local_->contains_now(address);
}

Result<> Guard::check(const Endpoint& destination, NamedBy named_by) const
{
    const auto address = destination.address.unmapped();
    if (destination.port == 0 || address.is_multicast() || (address.is_unspecified() && named_by == NamedBy::client))
        return Error{Fault::denied, named_by == NamedBy::client ? Side::client : Side::gateway,
                     "no connection can go to " + destination.text()};
    if (!is_local(address)) return {};
    if (named_by == NamedBy::client)
        return Error{Fault::denied, Side::client, destination.text() + " is an address of the gateway itself"};
    const bool own = std::any_of(own_.begin(), own_.end(), [&](const Endpoint& socket) {
        return socket.port == destination.port &&
               (socket.address.is_unspecified() || socket.address == address || address.is_unspecified());
    });
    if (own)
        return Error{Fault::denied, Side::gateway,
                     destination.text() + " is a listening socket of the gateway itself: the connection would loop"};
    return {};
}

} // namespace gw::upstream
