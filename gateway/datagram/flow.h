#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/endpoint.h"
#include "gateway/base/result.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>

namespace gw::datagram {

using Clock = std::chrono::steady_clock;

/// What makes datagrams belong together.
struct FlowKey {
    Endpoint client;
    Endpoint destination; ///< where the client sends them
    friend bool operator==(const FlowKey&, const FlowKey&) = default;
};

/// Whose address the upstream sees.
enum class Source { client, client_and_port, gateway };

/// Why a flow ended.
enum class Ending {
    idle,       ///< quiet for as long as it may be
    unanswered, ///< the same, and nothing ever came back
    evicted,    ///< made room for another
    refused,    ///< the upstream's side said that nobody is there
    failed,     ///< a socket for it could not be had
    closed,     ///< its listener is gone, or the gateway stops
};
std::string_view name_of(Ending ending);

/// What went through. Datagrams that the kernel did not take are in `dropped`, not in the others.
struct Traffic {
    std::uint64_t datagrams_from_client = 0;
    std::uint64_t datagrams_to_client = 0;
    std::uint64_t from_client_bytes = 0;
    std::uint64_t to_client_bytes = 0;
    std::uint64_t dropped = 0;
};

/// What the worker's epoll knows by address.
struct Watched {
    enum class Kind { listener, flow };
    explicit Watched(Kind kind_) : kind(kind_) {}
    Kind kind;
    Descriptor socket; ///< a listener's, or a flow's towards its upstream
};

struct Listener;

/// One client's port and one destination, from the first datagram until it was quiet for too long.
struct Flow : Watched {
    explicit Flow(const FlowKey& key_) : Watched(Kind::flow), key(key_) {}

    FlowKey key;
    std::uint64_t number = 0;      ///< of this worker
    Listener* listener = nullptr;  ///< outlives its flows
    bool source_kept = false;      ///< the upstream sees the client's address
    bool answered = false;         ///< something came back
    bool ended = false;            ///< out of the table; freed after the events of this moment
    bool segments_in = false;      ///< its socket may give many datagrams as one (UDP_GRO)
    bool upstream_segments = true; ///< many datagrams may be sent as one (UDP_SEGMENT)
    bool client_segments = true;   ///< the same towards the client
    Traffic traffic;
    Clock::time_point began{};
    std::chrono::system_clock::time_point began_at{};
    Clock::time_point last{}; ///< datagram either way
    Ending ending = Ending::idle;
    std::optional<Error> error; ///< with `refused` and `failed`
    std::shared_ptr<void> pass; ///< what the worker counts it by

private:
    friend class FlowTable;
    friend class Forwarder;
    static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
    Flow* older_ = nullptr; // of its list in the table
    Flow* newer_ = nullptr;
    std::size_t list_ = none;
    std::size_t first_slot_ = none; // datagrams of the batch at hand
    std::size_t last_slot_ = none;
};

} // namespace gw::datagram
