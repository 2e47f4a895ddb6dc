#pragma once

#include "netfilter/plan.h"

#include <optional>
#include <string>
#include <vector>

namespace gw::doctor {

/// A listener that intercepts.
struct Listener {
    std::string name;
    std::string where; ///< in the configuration: "gateway.yaml:3:5"
    netfilter::Intercept intercept;
    bool keeps_address = true; ///< the server sees the client's address
    bool keeps_port = false;   ///< and its port
};

/// A listener on an address of this host.
struct Bound {
    std::string listener;
    Endpoint at;
};

/// For whom the host is looked at: the configuration, and the plan in force where that is known.
struct Subject {
    netfilter::Settings settings;
    std::vector<Listener> listeners{};
    std::vector<Bound> bound{};
    std::size_t connections = 0; ///< limits.connections
    std::size_t backlog = 0;
    std::optional<netfilter::Plan> plan{}; ///< in force; asked by the daemon that put it there
    std::string missing;                   ///< what of the plan the kernel lacks, as the daemon knows
    bool daemon_runs = false;              ///< one answers, so what is in the kernel is its own

    bool has_family(bool v6) const;
};

/// What the configuration says about it. `Configured` is config::Settings, which this room may not know.
template <class Configured> Subject subject_of(const Configured& configured)
{
    Subject subject;
    subject.settings = configured.netfilter;
    subject.connections = configured.session.connections;
    subject.backlog = static_cast<std::size_t>(configured.intake.backlog);
    for (const auto& listener : configured.listeners) {
        using Address = decltype(listener.client_address);
        for (const auto& at : listener.bind) subject.bound.push_back({listener.name, at});
        if (!listener.intercept) continue;
        const bool keeps = listener.client_address != Address::gateway;
        subject.listeners.push_back({listener.name, listener.where.text(), *listener.intercept, keeps,
                                     keeps && listener.client_address != Address::keep});
    }
    return subject;
}

/// The interfaces of `present` on which the listener takes connections over.
std::vector<std::string> interfaces_of(const Listener& listener, const std::vector<std::string>& present);

} // namespace gw::doctor
