#pragma once

#include "gateway/base/endpoint.h"
#include "netfilter/local_addresses.h"

#include <memory>
#include <vector>

namespace gw::upstream {

/// Who named a destination decides how far it may reach.
enum class NamedBy {
    client,        ///< original destination, PROXY header: no address of this host at all
    configuration, ///< a route's URL: this host too, but never one of our own listening sockets
};

/// The one place where the final address of every dial is checked, right before connect.
class Guard {
public:
    /// `local` may be null in unit tests (then only the special addresses are refused).
    Guard(std::shared_ptr<const netfilter::LocalAddresses> local, std::vector<Endpoint> own_sockets);

    /// Errors: `denied`, side client (or gateway when the configuration named it): `what` says which rule.
    Result<> check(const Endpoint& destination, NamedBy named_by) const;

    /// The addresses of this host; null: not known.
    const netfilter::LocalAddresses* local() const { return local_.get(); }
    /// Whether this is an address of this host.
    bool is_own(const Address& address) const { return is_local(address.unmapped()); }

private:
    bool is_local(const Address& address) const;

    std::shared_ptr<const netfilter::LocalAddresses> local_;
    std::vector<Endpoint> own_;
};

} // namespace gw::upstream
