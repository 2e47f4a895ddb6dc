#pragma once

#include "gateway/config/settings.h"
#include "gateway/keeper/sockets.h"

#include <set>
#include <string>

namespace gw::keeper {

/// The service manager keeps a copy of every listening socket (sd_notify: FDSTORE) and hands them to the next keeper
/// after one that was killed. Meanwhile clients wait in the queues of the sockets, and none is refused. Without a
/// service manager, or with one that keeps nothing, it has no effect. What goes wrong is in the log.
class DescriptorStore {
public:
    /// What was kept since the keeper before this one. Once, at the start; the variables for it are taken out of the
    /// environment. What is none of our listening sockets is closed, and the service manager told to forget it.
    HeldSockets inherited();
    /// Leaves of `held` what a configuration can go on with on so many workers: each address whole or not at all. The
    /// rest is given up.
    void fit(HeldSockets& held, const config::Settings& settings, std::size_t workers);
    /// `now` takes the place of `held`: what is new is kept from now on, what is gone is given up.
    void exchange(HeldSockets& held, HeldSockets now);
    /// A predecessor has had these kept, in the name of the same service.
    void take_over(const HeldSockets& held);

private:
    void keep(const HeldSocket& socket);
    void forget(const std::string& name);
    void give_up(const HeldSocket& socket);

    std::set<std::string> kept_; // names
    bool forgot_ = false;        // and nobody has waited for it
};

/// Why a configuration cannot go on with each of `held`, for a person; empty: it can.
std::vector<std::string> flaws_of(const HeldSockets& held, const config::Settings& settings, std::size_t workers);

} // namespace gw::keeper
