#include "gateway/intake/listener.h"

#include "netfilter/original_destination.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <sys/socket.h>

namespace gw::intake {

namespace {

/// What the sockets of one listener have in common.
struct Options {
    bool transparent = false;
    std::uint32_t own_mark = 0;
    int backlog = 0;
};

Error error_with(Fault fault, std::string what)
{
    return Error{fault, Side::gateway, std::move(what), {errno, boost::system::system_category()}};
}

Error privilege_error(const Endpoint& at)
{
    return error_with(Fault::denied, "transparent socket on " + at.text() +
                                         ": needs CAP_NET_ADMIN or CAP_NET_RAW; start gatewayd as root or by its unit");
}

/// `errno` as `bind` or `listen` left it, said to a person.
Error address_error(const Endpoint& at)
{
    switch (errno) {
    case EADDRINUSE: return error_with(Fault::refused, at.text() + " is in use by another program; see `ss -ltnp`");
    case EACCES:
    case EPERM:
        return error_with(Fault::denied, at.text() + ": not allowed; a port below 1024 needs root or "
                                                     "CAP_NET_BIND_SERVICE");
    case EADDRNOTAVAIL:
        return error_with(Fault::system, at.text() + ": no such address on this host; see `ip address`");
    case EAFNOSUPPORT: return error_with(Fault::system, at.text() + ": this host has no IPv6; see `sysctl net.ipv6`");
    default: return error_with(Fault::system, "listen on " + at.text());
    }
}

bool switch_on(const Descriptor& socket, int level, int option)
{
    const int on = 1;
    return ::setsockopt(socket.number(), level, option, &on, sizeof on) == 0;
}

/// Accepted sockets inherit TCP_NODELAY, transparency and the mark from here.
Result<> set_options(const Descriptor& socket, const Endpoint& at, const Options& options)
{
    const bool v6 = at.address.is_v6();
    const bool set = switch_on(socket, SOL_SOCKET, SO_REUSEADDR) && switch_on(socket, SOL_SOCKET, SO_REUSEPORT) &&
                     switch_on(socket, IPPROTO_TCP, TCP_NODELAY) &&
                     (!v6 || switch_on(socket, IPPROTO_IPV6, IPV6_V6ONLY));
    if (!set) return system_error("options of the socket for " + at.text());
    if (options.transparent) {
        const bool transparent =
            v6 ? switch_on(socket, IPPROTO_IPV6, IPV6_TRANSPARENT) : switch_on(socket, IPPROTO_IP, IP_TRANSPARENT);
        if (!transparent) return privilege_error(at);
    }
    // What is sent to clients then carries our mark like all else we send, so no rule of ours looks at it twice.
    // Nothing depends on it, so a listener that needs no privilege otherwise works without.
    if (options.own_mark != 0) {
        const auto marked =
            ::setsockopt(socket.number(), SOL_SOCKET, SO_MARK, &options.own_mark, sizeof options.own_mark);
        if (marked != 0 && options.transparent) return privilege_error(at);
    }
    return {};
}

std::optional<Endpoint> name_of_socket(int socket)
{
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size) != 0) return std::nullopt;
    return from_sockaddr(name);
}

Result<ListeningSocket> open_socket(const Endpoint& at, const Options& options)
{
    const int family = at.address.is_v6() ? AF_INET6 : AF_INET;
    ListeningSocket opened;
    opened.socket.reset(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!opened.socket.is_open()) return address_error(at);
    if (const auto set = set_options(opened.socket, at, options); !set) return set.error();

    sockaddr_storage name{};
    const auto size = to_sockaddr(at, name);
    if (::bind(opened.socket.number(), reinterpret_cast<const sockaddr*>(&name), size) != 0) return address_error(at);
    if (::listen(opened.socket.number(), options.backlog) != 0) return address_error(at);
    const auto bound = name_of_socket(opened.socket.number());
    if (!bound) return system_error("name of the socket for " + at.text());
    opened.bound = *bound;
    return opened;
}

/// An intercepting listener waits where only the rules lead: nobody outside can dial a loopback address.
std::vector<Endpoint> loopback_addresses(const std::vector<Network>& destinations)
{
    const auto is_v6 = [](const Network& network) { return network.address.is_v6(); };
    std::vector<Endpoint> addresses;
    if (!std::all_of(destinations.begin(), destinations.end(), is_v6))
        addresses.push_back({Address::v4({127, 0, 0, 1}), 0});
    if (std::any_of(destinations.begin(), destinations.end(), is_v6)) {
        std::array<std::uint8_t, 16> one{};
        one.back() = 1;
        addresses.push_back({Address::v6(one), 0});
    }
    return addresses;
}

} // namespace

Result<std::vector<ListeningSocket>> open_listener(const ListenerSettings& listener, std::size_t workers,
                                                   const Settings& settings, std::uint32_t own_mark)
{
    const bool intercepting = listener.intercept.has_value();
    const Options options{intercepting, own_mark, settings.backlog};
    std::vector<ListeningSocket> all;
    for (auto at : intercepting ? loopback_addresses(listener.intercept->to) : listener.bind) {
        for (std::size_t worker = 0; worker < workers; ++worker) {
            auto opened = open_socket(at, options);
            if (!opened) return opened.error();
            at = opened->bound; // the port that the kernel chose for the first holds for all
            opened->listener = listener.name;
            opened->worker = worker;
            all.push_back(std::move(*opened));
        }
    }
    return all;
}

Result<Flow> learn_flow(int socket, const Endpoint& client, const ListenerSettings& listener)
{
    const auto own_name = name_of_socket(socket);
    if (!own_name) return system_error("name of the accepted socket");
    if (!listener.intercept) return Flow{client, *own_name, Recovered::bound, listener.name};

    const auto mode = listener.intercept->mode;
    const auto original = netfilter::original_destination(socket, mode, client);
    if (!original) return original.error();
    // Rules never lead a loopback destination here, so such a name is that of the listener itself. Behind REDIRECT and
    // DNAT the socket's own name is what the rules changed the destination to: the same means there was no change.
    const bool direct =
        mode == netfilter::Mode::tproxy ? original->endpoint.address.is_loopback() : original->endpoint == *own_name;
    if (direct)
        return Error{Fault::denied, Side::client, "dialled " + own_name->text() + ", where only the rules may lead"};
    return Flow{client, original->endpoint, original->recovered, listener.name};
}

} // namespace gw::intake
