#include "netfilter/heartbeat.h"

#include <cerrno>
#include <netinet/in.h>
#include <sys/socket.h>

namespace gw::netfilter {
namespace {

std::uint16_t loopback_port_of(int socket)
{
    sockaddr_in name{};
    socklen_t size = sizeof name;
    int type = 0;
    socklen_t type_size = sizeof type;
    if (::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &type_size) != 0 || type != SOCK_DGRAM) return 0;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size) != 0 || name.sin_family != AF_INET) return 0;
    return name.sin_addr.s_addr == htonl(INADDR_LOOPBACK) ? ntohs(name.sin_port) : std::uint16_t{0};
}

} // namespace

Result<Heartbeat> Heartbeat::open()
{
    Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.is_open()) return system_error("opening the socket of the heartbeat");
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    if (::bind(socket.number(), reinterpret_cast<const sockaddr*>(&name), size) != 0)
        return system_error("a port for the heartbeat (is the interface lo up?)");
    if (::getsockname(socket.number(), reinterpret_cast<sockaddr*>(&name), &size) != 0 ||
        ::connect(socket.number(), reinterpret_cast<const sockaddr*>(&name), size) != 0)
        return system_error("connecting the heartbeat (is the interface lo up?)");
    return Heartbeat(std::move(socket), ntohs(name.sin_port));
}

Result<Heartbeat> Heartbeat::adopt(Descriptor socket)
{
    const auto port = loopback_port_of(socket.number());
    if (port == 0) return Error{Fault::refused, Side::gateway, "not the socket of a heartbeat"};
    return Heartbeat(std::move(socket), port);
}

Result<> Heartbeat::beat()
{
    if (::send(socket_.number(), "", 0, MSG_NOSIGNAL) == 0) return {};
    const int failed = errno;
    std::string what = "the heartbeat does not arrive";
    if (failed == EPERM) what += ": another firewall on this host drops UDP over the interface lo";
    if (failed == ENETDOWN || failed == ENETUNREACH) what += ": the interface lo is down";
    return Error{Fault::system, Side::gateway, std::move(what), {failed, boost::system::system_category()}};
}

} // namespace gw::netfilter
