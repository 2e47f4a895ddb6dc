#include "gateway/keeper/sockets.h"

#include "netfilter/reply_socket.h"

#include <algorithm>
#include <fcntl.h>

namespace gw::keeper {

bool serves(const HeldSocket& socket, const intake::ListenerSettings& listener)
{
    if (socket.name.listener != listener.name) return false;
    if (socket.intercepting != listener.intercept.has_value()) return false;
    if (socket.intercepting && socket.mode != listener.intercept->mode) return false;
    if (socket.datagrams != listener.takes_datagrams()) return false;
    if (!listener.binds()) {
        const auto& to = listener.intercept->to;
        return std::any_of(to.begin(), to.end(), [&](const Network& network) {
            return network.address.is_v6() == socket.name.bound.address.is_v6();
        });
    }
    return std::find(listener.bind.begin(), listener.bind.end(), socket.asked) != listener.bind.end();
}

std::optional<intake::ListenerSettings> unserved(const HeldSockets& held, const intake::ListenerSettings& listener)
{
    auto rest = listener;
    if (!rest.binds()) {
        auto to = rest.intercept->to.list();
        std::erase_if(to, [&](const Network& network) {
            return std::any_of(held.begin(), held.end(), [&](const HeldSocket& socket) {
                return serves(socket, listener) && socket.name.bound.address.is_v6() == network.address.is_v6();
            });
        });
        if (to.empty()) return std::nullopt;
        rest.intercept->to = std::move(to);
        return rest;
    }
    std::erase_if(rest.bind, [&](const Endpoint& endpoint) {
        return std::any_of(held.begin(), held.end(), [&](const HeldSocket& socket) {
            return serves(socket, listener) && socket.asked == endpoint;
        });
    });
    if (rest.bind.empty()) return std::nullopt;
    return rest;
}

namespace {

/// Which configured endpoint an opened socket belongs to: they differ when the kernel chose the port.
Endpoint asked_for(const intake::ListenerSettings& listener, const Endpoint& bound)
{
    if (std::find(listener.bind.begin(), listener.bind.end(), bound) != listener.bind.end()) return bound;
    return {bound.address, 0};
}

} // namespace

std::vector<link::SocketName> names_of(const HeldSockets& sockets)
{
    std::vector<link::SocketName> names;
    for (const auto& socket : sockets) names.push_back(socket.name);
    return names;
}

HeldSocket copy_of(const HeldSocket& socket)
{
    Descriptor copy{::fcntl(socket.socket.number(), F_DUPFD_CLOEXEC, 0)};
    return {socket.name, socket.asked, socket.intercepting, socket.datagrams, std::move(copy), socket.mode};
}

Result<SocketChange> open_missing(const HeldSockets& held, const std::vector<intake::ListenerSettings>& listeners,
                                  std::size_t workers, const intake::Settings& settings, std::uint32_t own_mark)
{
    SocketChange change;
    for (std::size_t i = 0; i < held.size(); ++i)
        if (std::any_of(listeners.begin(), listeners.end(), [&](const auto& l) { return serves(held[i], l); }))
            change.kept.push_back(i);
    for (const auto& listener : listeners) {
        const auto rest = unserved(held, listener);
        if (!rest) continue;
        // Whether one of IPv6 serves IPv4 as well depends on all of them.
        auto opened = listener.binds() ? intake::open_listener(listener, workers, settings, own_mark, &rest->bind)
                                       : intake::open_listener(*rest, workers, settings, own_mark);
        if (!opened) return opened.error();
        for (auto& socket : *opened)
            change.opened.push_back({{listener.name, socket.bound, socket.worker},
                                     asked_for(listener, socket.bound),
                                     listener.intercept.has_value(),
                                     listener.takes_datagrams(),
                                     std::move(socket.socket),
                                     listener.intercept ? listener.intercept->mode : netfilter::Mode::tproxy});
    }
    return change;
}

std::vector<netfilter::Capture> captures_of(const std::vector<intake::ListenerSettings>& listeners,
                                            const std::vector<link::SocketName>& sockets)
{
    std::vector<netfilter::Capture> captures;
    for (const auto& listener : listeners) {
        if (!listener.intercept || !listener.intercept->needs_rules()) continue;
        netfilter::Capture capture{listener.name, *listener.intercept, 0, 0};
        for (const auto& socket : sockets)
            if (socket.listener == listener.name && socket.bound.address != netfilter::reply_address(false) &&
                socket.bound.address != netfilter::reply_address(true))
                (socket.bound.address.is_v6() ? capture.port_v6 : capture.port_v4) = socket.bound.port;
        captures.push_back(std::move(capture));
    }
    return captures;
}

} // namespace gw::keeper
