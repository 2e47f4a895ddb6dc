#pragma once

#include "gateway/datagram/flow.h"

#include <array>
#include <string_view>

namespace gw::datagram {

/// Why a datagram went nowhere.
enum class Drop {
    cut,            ///< it, or what the kernel said of it, did not fit
    no_destination, ///< the kernel did not say where it was going
    own_address,    ///< it was going to the gateway itself
    denied,         ///< its listener lets nothing through
    limited,        ///< its client or its listener has as many flows as it may
    no_socket,      ///< no socket towards the upstream could be had
    to_upstream,    ///< the kernel did not take it: a full queue, no route, too large
    to_client,      ///< the same on the way back
    queue_full,     ///< it came faster than it could be taken from a listening socket
};
inline constexpr std::size_t drop_count = 9;
std::string_view name_of(Drop drop);

/// What a worker has counted of UDP. Of ended flows and those under way.
struct Counters {
    std::uint64_t flows = 0;
    std::uint64_t active = 0;
    std::uint64_t waiting = 0; ///< of the active ones, not answered yet
    std::uint64_t evicted = 0;
    std::uint64_t unanswered = 0; ///< ended without an answer
    std::uint64_t refused = 0;
    std::uint64_t told_unreachable = 0; ///< ICMP messages sent to clients
    std::uint64_t reply_sockets = 0;    ///< open
    std::uint64_t receives = 0;         ///< calls that brought something; datagrams a call: how well batching works
    std::uint64_t sends = 0;
    Traffic traffic;
    std::array<std::uint64_t, drop_count> drops{};

    void add(const Counters& other);
};

} // namespace gw::datagram
