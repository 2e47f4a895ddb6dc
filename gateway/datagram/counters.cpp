#include "gateway/datagram/counters.h"

namespace gw::datagram {

std::string_view name_of(Drop drop)
{
    switch (drop) {
    case Drop::cut: return "cut";
    case Drop::no_destination: return "no_destination";
    case Drop::own_address: return "own_address";
    case Drop::denied: return "denied";
    case Drop::limited: return "limited";
    case Drop::no_socket: return "no_socket";
    case Drop::to_upstream: return "to_upstream";
    case Drop::to_client: return "to_client";
    case Drop::queue_full: return "queue_full";
    }
    return "cut";
}

void Counters::add(const Counters& other)
{
    flows += other.flows;
    active += other.active;
    waiting += other.waiting;
    evicted += other.evicted;
    unanswered += other.unanswered;
    refused += other.refused;
    told_unreachable += other.told_unreachable;
    reply_sockets += other.reply_sockets;
    receives += other.receives;
    sends += other.sends;
    traffic.datagrams_from_client += other.traffic.datagrams_from_client;
    traffic.datagrams_to_client += other.traffic.datagrams_to_client;
    traffic.from_client_bytes += other.traffic.from_client_bytes;
    traffic.to_client_bytes += other.traffic.to_client_bytes;
    traffic.dropped += other.traffic.dropped;
    for (std::size_t i = 0; i < drops.size(); ++i) drops[i] += other.drops[i];
}

} // namespace gw::datagram
