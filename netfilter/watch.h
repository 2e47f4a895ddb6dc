#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/result.h"
#include "netfilter/rtnetlink.h"
#include "netfilter/settings.h"

#include <array>

namespace gw::netfilter {

/// What of the kernel has changed, as far as it can concern our rules.
struct Changes {
    bool policy_rules = false; ///< of any table: somebody's clean-up takes ours with it
    bool routes = false;       ///< of our table only
    bool interfaces = false;   ///< came, went, renamed, up or down
    bool addresses = false;
    bool tables = false; ///< ours or the guard, by whomever: by us too

    bool any() const { return policy_rules || routes || interfaces || addresses || tables; }
    friend bool operator==(const Changes&, const Changes&) = default;
};

/// Everything changed, perhaps: what is said when messages were lost.
inline constexpr Changes all_changes{true, true, true, true, true};

/// Listens to the kernel for changes by others (and by ourselves) to what our rules need.
class Watch {
public:
    /// In the network namespace of the rules. Errors: `system`.
    static Result<Watch> open(const Settings& settings);

    /// Readable when there is something to read.
    int descriptor() const { return either_.number(); }
    /// Reads what there is, without waiting; what comes faster than that stays for the next time. A flood that is
    /// faster than we read is `all_changes`. Errors: `system`.
    Result<Changes> read();

private:
    Watch(const Settings& settings, Descriptor routes, Descriptor tables, Descriptor either)
        : settings_(settings), routes_(std::move(routes)), tables_(std::move(tables)), either_(std::move(either))
    {}

    Settings settings_;
    Descriptor routes_; // rtnetlink
    Descriptor tables_; // netfilter; none: the kernel has no such thing
    Descriptor either_; // an epoll of both
};

/// What one message of the kernel says that has changed. Pure. `message` is whole.
Changes change_of_route(const Settings& settings, const nlmsghdr* message);
Changes change_of_table(const Settings& settings, const nlmsghdr* message);

} // namespace gw::netfilter
