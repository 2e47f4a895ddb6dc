#include "gateway/upstream/dialer.h"

#include <algorithm>
#include <netinet/in.h>
#include <netinet/tcp.h>

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

bool serves(const Target& made, const Target& wanted)
{
    if (wanted.pool == nullptr) return made == wanted;
    const auto& servers = wanted.pool->servers;
    const bool member = std::any_of(servers.begin(), servers.end(),
                                    [&](const PoolServer& server) { return server.address == made.endpoint; });
    if (!member) return false;
    auto there = wanted;
    there.pool = nullptr;
    there.endpoint = made.endpoint;
    return made == there;
}

void push(const Connection& connection)
{
    if (connection.target.proxy_header.empty()) return;
    const int on = 1;
    const int socket = connection.stream->plain_socket();
    // tcp(7): setting this, though it is set, sends what MSG_MORE has left waiting.
    if (socket >= 0) ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

bool is_quiet(const Connection& connection)
{
    if (!connection.received.empty()) return false;
    return connection.stream->is_quiet();
}

} // namespace gw::upstream
