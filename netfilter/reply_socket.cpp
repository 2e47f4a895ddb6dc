#include "netfilter/reply_socket.h"

#include "gateway/base/socket_options.h"

#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <sys/socket.h>

namespace gw::netfilter {

namespace {

bool set(const Descriptor& socket, int level, int option)
{
    const int on = 1;
    return ::setsockopt(socket.number(), level, option, &on, sizeof on) == 0;
}

Error open_error(std::uint16_t port)
{
    const auto fault = errno == EACCES || errno == EPERM ? Fault::denied
                       : errno == EADDRINUSE             ? Fault::refused
                                                         : Fault::system;
    return Error{fault,
                 Side::gateway,
                 "UDP socket that answers from port " + std::to_string(port),
                 {errno, boost::system::system_category()}};
}

} // namespace

Address reply_address(bool v6)
{
    if (!v6) return Address::v4({192, 0, 0, 8});
    std::array<std::uint8_t, 16> bytes{};
    bytes[0] = 1;
    bytes.back() = 8;
    return Address::v6(bytes);
}

Result<Descriptor> open_reply_socket(std::uint16_t port, bool v6)
{
    Descriptor socket{::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP)};
    if (!socket.is_open()) return open_error(port);
    // SO_REUSEADDR: other workers answer from the same port, and a program that holds it may allow it too.
    if (!(v6 ? set(socket, SOL_IPV6, IPV6_TRANSPARENT) : set(socket, SOL_IP, IP_TRANSPARENT)) ||
        !set(socket, SOL_SOCKET, SO_REUSEADDR))
        return open_error(port);
    sockaddr_storage name{};
    const auto size = to_sockaddr({reply_address(v6), port}, name);
    if (::bind(socket.number(), reinterpret_cast<const sockaddr*>(&name), size) != 0) return open_error(port);
    return socket;
}

} // namespace gw::netfilter
