#include "gateway/datagram/upstream_socket.h"

#include "gateway/base/socket_options.h"

#include <cerrno>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

namespace gw::datagram {

namespace {

bool set(const Descriptor& socket, int level, int option, int value)
{
    return ::setsockopt(socket.number(), level, option, &value, sizeof value) == 0;
}

bool bind_as(const Descriptor& socket, const Endpoint& client, Source source)
{
    const bool v6 = client.address.is_v6();
    if (!(v6 ? set(socket, SOL_IPV6, IPV6_TRANSPARENT, 1) : set(socket, SOL_IP, IP_TRANSPARENT, 1))) return false;
    const bool with_port = source == Source::client_and_port;
    // One port of a client has a socket for each destination: they share it. Without a port of its own it is chosen
    // by connect.
    if (!(with_port ? set(socket, SOL_SOCKET, SO_REUSEADDR, 1) : set(socket, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1)))
        return false;
    sockaddr_storage name{};
    const auto size = to_sockaddr({client.address, with_port ? client.port : std::uint16_t{0}}, name);
    return ::bind(socket.number(), reinterpret_cast<const sockaddr*>(&name), size) == 0;
}

Error connect_error(const Endpoint& to, int number)
{
    const bool nowhere = number == ENETUNREACH || number == EHOSTUNREACH || number == ECONNREFUSED;
    return Error{nowhere ? Fault::refused : Fault::system,
                 nowhere ? Side::upstream : Side::gateway,
                 "UDP to " + to.text(),
                 {number, boost::system::system_category()}};
}

Result<UpstreamSocket> open_as(const FlowKey& flow, Source source, std::uint32_t own_mark, const upstream::Guard& guard)
{
    const auto& to = flow.destination;
    UpstreamSocket opened;
    opened.socket.reset(
        ::socket(to.address.is_v6() ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP));
    if (!opened.socket.is_open()) return connect_error(to, errno);
    // Without the mark the rules would capture what we send, and would not lead the answers here.
    if (!set(opened.socket, SOL_SOCKET, SO_MARK, static_cast<int>(own_mark)) && source != Source::gateway)
        return connect_error(to, errno);
    if (source != Source::gateway) {
        if (!bind_as(opened.socket, flow.client, source)) return connect_error(to, errno);
        opened.source_kept = true;
    }
    const auto allowed = guard.check(to, upstream::NamedBy::client);
    if (!allowed) return allowed.error();
    sockaddr_storage name{};
    const auto size = to_sockaddr(to, name);
    if (::connect(opened.socket.number(), reinterpret_cast<const sockaddr*>(&name), size) != 0)
        return connect_error(to, errno);
    return opened;
}

bool is_shortage(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

} // namespace

Result<UpstreamSocket> open_upstream(const FlowKey& flow, Source source, std::uint32_t own_mark,
                                     const upstream::Guard& guard)
{
    auto opened = open_as(flow, source, own_mark, guard);
    if (opened || source == Source::gateway) return opened;
    const auto& error = opened.error();
    if (error.fault != Fault::system || is_shortage(error.cause.value())) return opened;
    return open_as(flow, Source::gateway, own_mark, guard);
}

bool receive_segments(int socket)
{
    const int on = 1;
    return ::setsockopt(socket, SOL_UDP, UDP_GRO, &on, sizeof on) == 0;
}

} // namespace gw::datagram
