#include "gateway/session/datagrams.h"

#include "gateway/base/log.h"
#include "netfilter/reply_socket.h"

#include <sys/socket.h>

namespace gw::session {

namespace {

bool is_udp(int socket)
{
    int type = 0;
    socklen_t size = sizeof type;
    return ::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM;
}

datagram::Source source_of(intake::ClientAddress address)
{
    switch (address) {
    case intake::ClientAddress::keep: return datagram::Source::client;
    case intake::ClientAddress::keep_with_port: return datagram::Source::client_and_port;
    case intake::ClientAddress::gateway: return datagram::Source::gateway;
    }
    return datagram::Source::gateway;
}

} // namespace

Datagrams::Datagrams(asio::io_context& io, DeadlineWheel& wheel, Reporting reporting)
    : reporting_(std::move(reporting)), forwarder_(io, wheel, *this)
{}

void Datagrams::install(const Generation& generation)
{
    std::vector<datagram::Policy> policies;
    for (const auto& listener : generation.listeners)
        if (listener.takes_datagrams())
            policies.push_back(
                {listener.name, source_of(listener.client_address), listener.otherwise == intake::Otherwise::deny});
    forwarder_.renew(generation.datagram, generation.guard, std::move(policies));
}

bool Datagrams::take(intake::ListeningSocket& socket)
{
    if (!is_udp(socket.socket.number())) return false;
    auto key = socket.listener + " " + socket.bound.text();
    if (socket.bound.address == netfilter::reply_address(socket.bound.address.is_v6())) {
        forwarder_.answer_from(std::move(key), socket.bound, std::move(socket.socket));
        return true;
    }
    const auto listening = forwarder_.listen(std::move(key), socket.listener, std::move(socket.socket));
    if (!listening) log::error("UDP socket " + socket.bound.text() + ": " + describe(listening.error()));
    return true;
}

void Datagrams::flow_began(datagram::Flow& flow)
{
    flow.number = reporting_.next_id++;
    auto& listener = reporting_.counters.listeners[flow.listener->policy.listener];
    ++listener.connections;
    ++listener.active;
}

void Datagrams::flow_ended(const datagram::Flow& flow)
{
    --reporting_.counters.listeners[flow.listener->policy.listener].active;
    if (flow.error)
        ++reporting_.counters
              .faults[static_cast<std::size_t>(flow.error->side)][static_cast<std::size_t>(flow.error->fault)];
    reporting_.ended(flow);
}

} // namespace gw::session
