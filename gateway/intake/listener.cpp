#include "gateway/intake/listener.h"

#include "gateway/intake/datagram_socket.h"
#include "gateway/intake/socket_name.h"
#include "netfilter/reply_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <sys/socket.h>

namespace gw::intake {

namespace {

/// What the sockets of one listener have in common.
struct Options {
    bool transparent = false;
    bool both_families = false; ///< an IPv6 socket that serves IPv4 as well
    std::uint32_t own_mark = 0;
    int backlog = 0;
    bool datagrams = false;
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
    case EADDRINUSE: return address_in_use(at);
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
                     (!v6 || options.both_families || switch_on(socket, IPPROTO_IPV6, IPV6_V6ONLY));
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

Result<ListeningSocket> named(Descriptor socket, const Endpoint& at)
{
    const auto bound = name_of_socket(socket.number());
    if (!bound) return system_error("name of the socket for " + at.text());
    ListeningSocket opened;
    opened.socket = std::move(socket);
    opened.bound = *bound;
    return opened;
}

Result<ListeningSocket> open_socket(const Endpoint& at, const Options& options)
{
    if (options.datagrams) {
        auto socket = open_datagram_socket(at, options.own_mark);
        if (!socket) return socket.error();
        return named(std::move(*socket), at);
    }
    const int family = at.address.is_v6() ? AF_INET6 : AF_INET;
    ListeningSocket opened;
    opened.socket.reset(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!opened.socket.is_open()) return address_error(at);
    if (const auto set = set_options(opened.socket, at, options); !set) return set.error();

    sockaddr_storage name{};
    const auto size = to_sockaddr(at, name);
    if (::bind(opened.socket.number(), reinterpret_cast<const sockaddr*>(&name), size) != 0) return address_error(at);
    if (::listen(opened.socket.number(), options.backlog) != 0) return address_error(at);
    return named(std::move(opened.socket), at);
}

Address address_of_all(bool v6) { return v6 ? Address::v6({}) : Address{}; }

Address loopback(bool v6)
{
    if (!v6) return Address::v4({127, 0, 0, 1});
    std::array<std::uint8_t, 16> one{};
    one.back() = 1;
    return Address::v6(one);
}

/// With tproxy where only the rules lead: nobody outside can dial a loopback address. A redirect leads to an address of
/// the interface the packet came in by, so there on all of them; rules refuse who dials the port himself.
std::vector<Endpoint> addresses_of(const ListenerSettings& listener)
{
    if (listener.binds()) return listener.bind;
    const auto& destinations = listener.intercept->to;
    const bool redirect = listener.intercept->mode == netfilter::Mode::redirect;
    std::vector<Endpoint> addresses;
    for (const bool v6 : {false, true}) {
        const auto of_family = [v6](const Network& network) { return network.address.is_v6() == v6; };
        if (std::none_of(destinations.begin(), destinations.end(), of_family)) continue;
        addresses.push_back({redirect ? address_of_all(v6) : loopback(v6), 0});
    }
    return addresses;
}

/// Others' rules may be tproxy.
bool is_transparent(const ListenerSettings& listener)
{
    return listener.intercept && listener.intercept->mode != netfilter::Mode::redirect;
}

/// What cannot be had is no error: the answers then leave another way.
void add_reply_sockets(std::vector<ListeningSocket>& all, const ListenerSettings& listener, bool v6,
                       std::size_t workers)
{
    for (const auto port : privileged_ports(listener.intercept->ports))
        for (std::size_t worker = 0; worker < workers; ++worker)
            if (auto opened = netfilter::open_reply_socket(port, v6))
                all.push_back({listener.name, {netfilter::reply_address(v6), port}, worker, std::move(*opened)});
}

} // namespace

Result<std::vector<ListeningSocket>> open_listener(const ListenerSettings& listener, std::size_t workers,
                                                   const Settings& settings, std::uint32_t own_mark,
                                                   const std::vector<Endpoint>* only)
{
    Options options{is_transparent(listener), false, own_mark, settings.backlog, listener.takes_datagrams()};
    std::vector<ListeningSocket> all;
    for (auto at : addresses_of(listener)) {
        if (only != nullptr && std::find(only->begin(), only->end(), at) == only->end()) continue;
        options.both_families = listener.serves_both_families(at);
        for (std::size_t worker = 0; worker < workers; ++worker) {
            auto opened = open_socket(at, options);
            if (!opened) return opened.error();
            at = opened->bound; // the port that the kernel chose for the first holds for all
            opened->listener = listener.name;
            opened->worker = worker;
            all.push_back(std::move(*opened));
        }
        if (options.datagrams) add_reply_sockets(all, listener, at.address.is_v6(), workers);
    }
    return all;
}

Error address_in_use(const Endpoint& at)
{
    const boost::system::error_code cause{EADDRINUSE, boost::system::system_category()};
    return {Fault::refused, Side::gateway, at.text() + " is in use by another program; see `ss -ltnp`", cause};
}

Result<> let_begin(int listening_socket, bool may)
{
    // The kernel shows a filter of a TCP socket the packet from the TCP header on; its flags are the fourteenth byte.
    std::array no_first_packet{
        sock_filter{BPF_LD | BPF_B | BPF_ABS, 0, 0, 13},
        sock_filter{BPF_ALU | BPF_AND | BPF_K, 0, 0, TH_SYN | TH_ACK},
        sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, TH_SYN},
        sock_filter{BPF_RET | BPF_K, 0, 0, 0},
        sock_filter{BPF_RET | BPF_K, 0, 0, UINT32_MAX},
    };
    const sock_fprog program{no_first_packet.size(), no_first_packet.data()};
    const int option = may ? SO_DETACH_FILTER : SO_ATTACH_FILTER;
    if (::setsockopt(listening_socket, SOL_SOCKET, option, &program, sizeof program) != 0)
        return system_error("filter of a listening socket");
    return {};
}

} // namespace gw::intake
