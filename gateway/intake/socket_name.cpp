#include "gateway/intake/socket_name.h"

#include <sys/socket.h>

namespace gw::intake {

std::optional<Endpoint> name_of_socket(int socket)
{
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size) != 0) return std::nullopt;
    if (name.ss_family != AF_INET && name.ss_family != AF_INET6) return std::nullopt;
    return from_sockaddr(name);
}

} // namespace gw::intake
