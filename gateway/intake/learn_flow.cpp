#include "gateway/intake/learn_flow.h"

#include "gateway/intake/socket_name.h"
#include "netfilter/original_destination.h"
#include "netfilter/reach.h"

#include <algorithm>
#include <optional>
#include <sys/socket.h>

namespace gw::intake {

namespace {

Error dialled_directly(const Endpoint& at)
{
    return Error{Fault::denied, Side::client, "dialled " + at.text() + ", where only the rules may lead"};
}

Error not_allowed(const Endpoint& destination)
{
    return Error{Fault::denied, Side::client,
                 "rules led a connection to " + destination.text() +
                     " here, which is none of this listener's destinations and ports"};
}

/// The socket's own name is where the client was going. Rules never lead a loopback destination here, so such a name is
/// that of the listener itself.
Result<Flow> flow_by_tproxy(const Endpoint& client, const Endpoint& own_name, const ListenerSettings& listener)
{
    if (own_name.address.is_loopback()) return dialled_directly(own_name);
    return Flow{client, own_name, Recovered::socket_name, listener.name};
}

/// Behind REDIRECT the socket's own name is what the rules changed the destination to: the same means there was no
/// change. Without an answer there is no destination; the socket's name is never taken for one.
Result<Flow> flow_by_redirect(int socket, const Endpoint& client, const Endpoint& own_name,
                              const ListenerSettings& listener)
{
    const auto original = netfilter::original_destination(socket, netfilter::Mode::redirect, client);
    if (!original && netfilter::is_unknown(original.error())) {
        auto error = dialled_directly(own_name);
        error.what += "; or conntrack has lost it";
        return error;
    }
    if (!original) return original.error();
    if (original->endpoint == own_name) return dialled_directly(own_name);
    return Flow{client, original->endpoint, original->recovered, listener.name};
}

/// Whether the listener itself is bound to this name. A connection that it accepted with another name was handed over
/// by tproxy: nothing else makes one.
bool is_bound_to(const ListenerSettings& listener, const Endpoint& name, const netfilter::LocalAddresses* local)
{
    return std::any_of(listener.bind.begin(), listener.bind.end(), [&](const Endpoint& bound) {
        if (bound.port != name.port) return false;
        if (!bound.address.is_unspecified()) return bound.address == name.address;
        return name.address.is_loopback() || local == nullptr || local->contains(name.address);
    });
}

Result<Flow> flow_by_others(int socket, const Endpoint& client, const Endpoint& own_name,
                            const ListenerSettings& listener, const netfilter::LocalAddresses* local)
{
    if (netfilter::excepts(*listener.intercept, client.address))
        return Error{Fault::denied, Side::client, "rules led a client here that except.from leaves alone"};
    const bool changed = is_bound_to(listener, own_name, local);
    const auto mode = changed ? netfilter::Mode::external : netfilter::Mode::tproxy;
    const auto original = netfilter::original_destination(socket, mode, client);
    if (!original && !netfilter::is_unknown(original.error())) return original.error();
    if (!original || (changed && original->endpoint == own_name))
        return Flow{client, own_name, Recovered::name, listener.name};
    if (!netfilter::allows(*listener.intercept, original->endpoint)) return not_allowed(original->endpoint);
    return Flow{client, original->endpoint, original->recovered, listener.name};
}

} // namespace

Result<Flow> learn_flow(int socket, const Endpoint& client, const ListenerSettings& listener,
                        const netfilter::LocalAddresses* local)
{
    const auto own_name = name_of_socket(socket);
    if (!own_name) return system_error("name of the accepted socket");
    if (!listener.intercept) return Flow{client, *own_name, Recovered::bound, listener.name};
    switch (listener.intercept->mode) {
    case netfilter::Mode::tproxy: return flow_by_tproxy(client, *own_name, listener);
    case netfilter::Mode::redirect: return flow_by_redirect(socket, client, *own_name, listener);
    case netfilter::Mode::external: return flow_by_others(socket, client, *own_name, listener, local);
    }
    return system_error("unknown mode of interception");
}

} // namespace gw::intake
