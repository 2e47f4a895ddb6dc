#pragma once

#include "gateway/base/endpoint.h"

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_set>
#include <vector>

namespace gw::netfilter {

/// The live table of this host's own addresses: what no client-chosen destination may reach. Filled from the kernel and
/// kept up to date over netlink by whoever runs `refresh` when `changes` is readable. Reading is thread-safe and cheap.
class LocalAddresses {
public:
    /// Errors: `system`.
    static Result<std::unique_ptr<LocalAddresses>> open();
    ~LocalAddresses();

    /// True for every address of this host, 127.0.0.0/8, ::1, unspecified, multicast and broadcast addresses, and the
    /// v4-mapped, v4-compatible, 6to4 and NAT64 (64:ff9b::/96) spellings of any of them.
    bool contains(const Address& address) const;
    /// The same with the table as the kernel has it at this moment: reads what waits on `changes` first. For the last
    /// look before a connect, which must not be early by the time another thread takes to wake up.
    bool contains_now(const Address& address) const;
    /// A netlink descriptor that becomes readable when addresses changed.
    int changes() const { return changes_; }
    /// Reads what waits on `changes` and the whole table again. Errors: `system`; the table then stays as it was.
    Result<> refresh() const;

private:
    LocalAddresses() = default;
    int changes_ = -1;
    mutable std::mutex refreshing_; ///< so that an older reading never replaces a newer one
    mutable std::shared_mutex mutex_;
    mutable std::unordered_set<Address> own_;
    mutable std::vector<Network> own_networks_; ///< local networks wider than one address
};

/// The host's interfaces that packets for routing can arrive on, by name, sorted: all but loopback and the ports of
/// bridges, bonds and teams (their packets arrive on the interface above). Errors: `system`.
Result<std::vector<std::string>> present_interfaces();

} // namespace gw::netfilter
