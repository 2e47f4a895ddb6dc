#include "gateway/intake/datagram_socket.h"

#include "gateway/base/socket_options.h"

#include <cerrno>
#include <linux/in6.h>
#include <netinet/in.h>
#include <set>
#include <sys/socket.h>

namespace gw::intake {

namespace {

/// Datagrams wait here while a worker is busy, or while the next data process starts.
constexpr int receive_buffer_bytes = 8 * 1024 * 1024;

bool set(const Descriptor& socket, int level, int option, int value)
{
    return ::setsockopt(socket.number(), level, option, &value, sizeof value) == 0;
}

Error datagram_error(Fault fault, std::string what)
{
    return Error{fault, Side::gateway, std::move(what), {errno, boost::system::system_category()}};
}

} // namespace

Result<Descriptor> open_datagram_socket(const Endpoint& at, std::uint32_t own_mark)
{
    const bool v6 = at.address.is_v6();
    Descriptor socket{::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP)};
    if (!socket.is_open()) return datagram_error(Fault::system, "UDP socket for " + at.text());
    const bool plain =
        set(socket, SOL_SOCKET, SO_REUSEPORT, 1) && (!v6 || set(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
        (v6 ? set(socket, IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 1) : set(socket, IPPROTO_IP, IP_RECVORIGDSTADDR, 1));
    if (!plain) return system_error("options of the UDP socket for " + at.text());
    const bool privileged =
        (v6 ? set(socket, IPPROTO_IPV6, IPV6_TRANSPARENT, 1) : set(socket, IPPROTO_IP, IP_TRANSPARENT, 1)) &&
        (own_mark == 0 || set(socket, SOL_SOCKET, SO_MARK, static_cast<int>(own_mark)));
    if (!privileged)
        return datagram_error(Fault::denied,
                              "transparent UDP socket on " + at.text() +
                                  ": needs CAP_NET_ADMIN or CAP_NET_RAW; start gatewayd as root or by its "
                                  "unit");
    if (!set(socket, SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer_bytes))
        set(socket, SOL_SOCKET, SO_RCVBUF, receive_buffer_bytes); // as much as net.core.rmem_max allows
    sockaddr_storage name{};
    const auto size = to_sockaddr(at, name);
    if (::bind(socket.number(), reinterpret_cast<const sockaddr*>(&name), size) != 0)
        return datagram_error(errno == EADDRINUSE ? Fault::refused : Fault::system, "UDP on " + at.text());
    return socket;
}

std::vector<std::uint16_t> privileged_ports(const std::vector<netfilter::PortRange>& ranges)
{
    constexpr std::uint16_t first_free = 1'024;
    constexpr std::size_t most = 64;
    std::set<std::uint16_t> ports;
    for (const auto& range : ranges)
        for (std::uint32_t port = range.first; port <= range.last && port < first_free && ports.size() < most; ++port)
            ports.insert(static_cast<std::uint16_t>(port));
    return {ports.begin(), ports.end()};
}

} // namespace gw::intake
