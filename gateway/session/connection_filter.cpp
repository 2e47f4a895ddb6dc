#include "gateway/session/connection_filter.h"

#include "gateway/datagram/forwarder.h"

namespace gw::session {

bool ConnectionFilter::fits(std::string_view of, const Address& from, const Endpoint& reached) const
{
    if (!listener.empty() && of != listener) return false;
    if (client && !client->contains(from)) return false;
    if (upstream && (reached.port == 0 || reached.address != *upstream)) return false;
    return upstream_port == 0 || reached.port == upstream_port;
}

bool ConnectionFilter::fits(const ConnectionRecord& record) const
{
    const auto& reached = record.live.upstream.port != 0 ? record.live.upstream : record.upstream;
    return fits(record.flow.listener, record.flow.client.address, reached);
}

bool ConnectionFilter::fits(const datagram::Flow& flow) const
{
    return fits(flow.listener->policy.listener, flow.key.client.address, flow.key.destination);
}

} // namespace gw::session
