#pragma once

#include "gateway/base/result.h"
#include "gateway/datagram/counters.h"
#include "gateway/session/gate.h"
#include "gateway/session/record_limit.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace gw::session {

/// Durations in buckets of powers of two, from 1/16 ms up.
class Durations {
public:
    static constexpr std::size_t bucket_count = 20;
    /// Upper bound of a bucket in seconds; the last has none.
    static double bound_seconds(std::size_t bucket) { return 0.0000625 * static_cast<double>(1ULL << bucket); }

    void add(std::chrono::steady_clock::duration value);
    void add(const Durations& other);
    /// Upper bound of the bucket in which this share of all lies. 0 when there are none.
    double quantile_seconds(double share) const;

    std::array<std::uint64_t, bucket_count> buckets{};
    std::uint64_t count = 0;
    double sum_seconds = 0;
};

struct ListenerCounters {
    std::uint64_t connections = 0;
    std::uint64_t active = 0;
    std::uint64_t source_fallbacks = 0; ///< upstream connections that could not have the client's address or port
    std::array<std::uint64_t, turned_away_reasons> turned_away{}; ///< by `TurnedAway`
};

struct RouteCounters {
    std::uint64_t hits = 0;
    std::int64_t last_hit_epoch_seconds = 0;
};

/// What a worker has counted. Written by its own thread only; others get a copy made by that thread.
struct Counters {
    std::map<std::string, ListenerCounters, std::less<>> listeners;
    ListenerCounters& of_listener(std::string_view name);
    std::vector<RouteCounters> routes; ///< of the generation in force
    std::uint64_t connections = 0;
    std::uint64_t active = 0;
    std::uint64_t requests = 0;
    std::uint64_t turned_away = 0;                ///< of all listeners, for any reason
    std::map<int, std::uint64_t> accept_failures; ///< by errno
    std::uint64_t shed = 0;                       ///< connections ended because memory was short
    std::uint64_t from_client_bytes = 0;
    std::uint64_t to_client_bytes = 0;
    std::uint64_t upstream_connections = 0;               ///< requests sent over a new one
    std::uint64_t upstream_reuses = 0;                    ///< and over one used before
    std::uint64_t rested = 0;                             ///< times that a client's connection began to rest
    std::uint64_t upstream_taken_over = 0;                ///< that another worker had kept
    std::array<std::uint64_t, 5> responses{};             ///< by class, 1xx to 5xx
    std::array<std::array<std::uint64_t, 7>, 3> faults{}; ///< [Side][Fault]
    std::array<std::uint64_t, 7> proxy_headers{};         ///< by HeaderFate, of connections that ended
    std::uint64_t waf_pass = 0;
    std::uint64_t waf_detected = 0;
    std::uint64_t waf_blocked = 0;
    std::uint64_t waf_failed = 0;
    datagram::Counters datagrams;
    RecordCounts suppressed_records{}; ///< left out of the access log, by `RecordKind`
    Durations request_durations;
    Durations added_durations; ///< a request's duration without the wait for the upstream

    void add(const Counters& other);
};

} // namespace gw::session
