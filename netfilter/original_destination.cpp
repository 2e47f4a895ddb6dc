#include "netfilter/original_destination.h"

#include <cerrno>
#include <netinet/in.h>
#include <sys/socket.h>

// After the former: the kernel's headers give way to the library's, not the other way round.
#include <linux/netfilter_ipv4.h>

namespace gw::netfilter {
namespace {

constexpr int ip6t_so_original_dst =
    80; // linux/netfilter_ipv6/ip6_tables.h, which does not go together with netinet/in.h

Result<OriginalDestination> from_socket_name(int socket)
{
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size) != 0)
        return system_error("reading the name of an intercepted socket");
    return OriginalDestination{from_sockaddr(name), Recovered::socket_name};
}

/// A socket of both families that serves an IPv4 client answers at the level of IPv4 only, and the other way round.
Result<OriginalDestination> from_conntrack(int socket, bool v6)
{
    sockaddr_storage name{};
    socklen_t size = v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    const int level = v6 ? SOL_IPV6 : SOL_IP;
    const int option = v6 ? ip6t_so_original_dst : SO_ORIGINAL_DST;
    if (::getsockopt(socket, level, option, &name, &size) != 0)
        return system_error("asking conntrack for the original destination");
    return OriginalDestination{from_sockaddr(name), Recovered::conntrack};
}

} // namespace

Result<OriginalDestination> original_destination(int socket, Mode mode, const Endpoint& client)
{
    // Conntrack is never asked about a tproxy socket: after a late retransmit it may give the client's own address.
    if (mode == Mode::tproxy) return from_socket_name(socket);
    auto found = from_conntrack(socket, client.address.unmapped().is_v6());
    // What only one side's packets were tracked of, or came too late, conntrack may have begun with an answer.
    if (found && found->endpoint.address == client.address.unmapped() && found->endpoint.port == client.port)
        return Error{Fault::denied, Side::gateway,
                     "conntrack has the connection of " + client.text() +
                         " the wrong way round: are packets of one direction not tracked (notrack)?"};
    return found;
}

bool is_unknown(const Error& error)
{
    const auto& cause = error.cause;
    return cause.category() == boost::system::system_category() &&
           (cause.value() == ENOENT || cause.value() == ENOPROTOOPT);
}

} // namespace gw::netfilter
