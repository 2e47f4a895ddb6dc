#include "gateway/upstream/dialer.h"

#include <cerrno>
#include <sys/socket.h>

namespace gw::upstream {

std::string_view name_of(Source source)
{
    switch (source) {
    case Source::gateway: return "gateway";
    case Source::kept: return "kept";
    case Source::kept_with_port: return "kept_with_port";
    }
    return "gateway";
}

bool is_quiet(const Connection& connection)
{
    if (!connection.received.empty()) return false;
    const int socket = connection.stream->plain_socket();
    if (socket < 0) return true;
    char byte{};
    const auto count = ::recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

} // namespace gw::upstream
