#include "gateway/session/counters.h"

#include <algorithm>

namespace gw::session {

void Durations::add(std::chrono::steady_clock::duration value)
{
    const double seconds = std::chrono::duration<double>(value).count();
    std::size_t bucket = 0;
    while (bucket + 1 < bucket_count && seconds > bound_seconds(bucket)) ++bucket;
    ++buckets[bucket];
    ++count;
    sum_seconds += seconds;
}

void Durations::add(const Durations& other)
{
    for (std::size_t i = 0; i < bucket_count; ++i) buckets[i] += other.buckets[i];
    count += other.count;
    sum_seconds += other.sum_seconds;
}

double Durations::quantile_seconds(double share) const
{
    if (count == 0) return 0;
    const auto wanted = static_cast<double>(count) * share;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < bucket_count; ++i) {
        seen += buckets[i];
        if (static_cast<double>(seen) >= wanted) return bound_seconds(i);
    }
    return bound_seconds(bucket_count - 1);
}

ListenerCounters& Counters::of_listener(std::string_view name)
{
    const auto found = listeners.find(name);
    return found != listeners.end() ? found->second : listeners[std::string(name)];
}

void Counters::add(const Counters& other)
{
    for (const auto& [name, from] : other.listeners) {
        auto& into = listeners[name];
        into.connections += from.connections;
        into.active += from.active;
        into.source_fallbacks += from.source_fallbacks;
        for (std::size_t i = 0; i < turned_away_reasons; ++i) into.turned_away[i] += from.turned_away[i];
    }
    routes.resize(std::max(routes.size(), other.routes.size()));
    for (std::size_t i = 0; i < other.routes.size(); ++i) {
        routes[i].hits += other.routes[i].hits;
        routes[i].last_hit_epoch_seconds =
            std::max(routes[i].last_hit_epoch_seconds, other.routes[i].last_hit_epoch_seconds);
    }
    connections += other.connections;
    active += other.active;
    requests += other.requests;
    turned_away += other.turned_away;
    for (const auto& [error, count] : other.accept_failures) accept_failures[error] += count;
    shed += other.shed;
    from_client_bytes += other.from_client_bytes;
    to_client_bytes += other.to_client_bytes;
    upstream_connections += other.upstream_connections;
    upstream_reuses += other.upstream_reuses;
    rested += other.rested;
    upstream_taken_over += other.upstream_taken_over;
    for (std::size_t i = 0; i < responses.size(); ++i) responses[i] += other.responses[i];
    for (std::size_t side = 0; side < faults.size(); ++side)
        for (std::size_t fault = 0; fault < faults[side].size(); ++fault)
            faults[side][fault] += other.faults[side][fault];
    for (std::size_t i = 0; i < proxy_headers.size(); ++i) proxy_headers[i] += other.proxy_headers[i];
    waf_pass += other.waf_pass;
    waf_detected += other.waf_detected;
    waf_blocked += other.waf_blocked;
    waf_failed += other.waf_failed;
    datagrams.add(other.datagrams);
    for (std::size_t i = 0; i < suppressed_records.size(); ++i) suppressed_records[i] += other.suppressed_records[i];
    request_durations.add(other.request_durations);
    added_durations.add(other.added_durations);
}

} // namespace gw::session
