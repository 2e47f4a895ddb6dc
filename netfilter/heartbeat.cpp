#include "netfilter/heartbeat.h"

#include "gateway/base/endpoint.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>

namespace gw::netfilter {
namespace {

Address loopback(bool v6)
{
    constexpr std::array<std::uint8_t, 16> last_bit{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    return v6 ? Address::v6(last_bit) : Address::v4({127, 0, 0, 1});
}

/// Of a socket that is bound to the loopback address; 0: it is another.
std::uint16_t loopback_port_of(int socket)
{
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    int type = 0;
    socklen_t type_size = sizeof type;
    if (::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &type_size) != 0 || type != SOCK_DGRAM) return 0;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size) != 0) return 0;
    if (name.ss_family != AF_INET && name.ss_family != AF_INET6) return 0;
    const Endpoint bound = from_sockaddr(name);
    return bound.address == loopback(bound.address.is_v6()) ? bound.port : std::uint16_t{0};
}

Error not_arrived(int failed)
{
    std::string what = "the heartbeat does not arrive";
    if (failed == EPERM) what += ": another firewall on this host drops UDP over the interface lo";
    if (failed == ENETDOWN || failed == ENETUNREACH) what += ": the interface lo is down";
    return Error{Fault::system, Side::gateway, std::move(what), {failed, boost::system::system_category()}};
}

} // namespace

Result<Heartbeat> Heartbeat::open(bool v6)
{
    Descriptor socket(::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.is_open()) return system_error("opening the socket of the heartbeat");
    sockaddr_storage name{};
    socklen_t size = to_sockaddr({loopback(v6), 0}, name);
    if (::bind(socket.number(), reinterpret_cast<const sockaddr*>(&name), size) != 0)
        return system_error("a port for the heartbeat (is the interface lo up?)");
    if (::getsockname(socket.number(), reinterpret_cast<sockaddr*>(&name), &size) != 0 ||
        ::connect(socket.number(), reinterpret_cast<const sockaddr*>(&name), size) != 0)
        return system_error("connecting the heartbeat (is the interface lo up?)");
    return Heartbeat(std::move(socket), from_sockaddr(name).port);
}

Result<Heartbeat> Heartbeat::adopt(Descriptor socket)
{
    const auto port = loopback_port_of(socket.number());
    if (port == 0) return Error{Fault::refused, Side::gateway, "not the socket of a heartbeat"};
    return Heartbeat(std::move(socket), port);
}

Result<Heartbeat> Heartbeat::copy() const
{
    Descriptor same(::fcntl(socket_.number(), F_DUPFD_CLOEXEC, 0));
    if (!same.is_open()) return system_error("a descriptor of the heartbeat");
    return Heartbeat(std::move(same), port_);
}

Result<> Heartbeat::beat()
{
    if (::send(socket_.number(), "", 0, MSG_NOSIGNAL) == 0) return {};
    return not_arrived(errno);
}

Result<> Heartbeat::end(std::uint16_t to_port)
{
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    if (::getsockname(socket_.number(), reinterpret_cast<sockaddr*>(&name), &size) != 0)
        return system_error("the socket of the heartbeat");
    size = to_sockaddr({from_sockaddr(name).address, to_port}, name);
    if (::sendto(socket_.number(), "", 0, MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&name), size) == 0) return {};
    return not_arrived(errno);
}

} // namespace gw::netfilter
