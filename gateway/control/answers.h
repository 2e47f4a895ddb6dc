#pragma once

#include "gateway/session/counters.h"
#include "gateway/session/generation.h"
#include "gateway/session/log_writer.h"
#include "waf/pool.h"

#include <string>
#include <string_view>

namespace gw::control {

/// What is known when a question of the control socket is answered. Plain values: making the texts is pure.
struct Snapshot {
    session::GenerationPtr generation;
    session::Counters counters; ///< of all workers that answered
    std::size_t workers = 0;
    std::size_t workers_silent = 0; ///< did not answer in time
    double requests_per_second = 0;
    std::uint64_t log_dropped = 0;
    waf::InspectorProcesses::Status waf;
    bool waf_running = false;
};

/// The data process's part of GET /v1/status; the keeper adds its own. docs/control-api.md.
std::string status_json(const Snapshot& snapshot);
std::string routes_json(const Snapshot& snapshot);
/// `list`: connections as JSON objects, comma-separated.
std::string connections_json(const std::string& list);
/// Prometheus text format 0.0.4.
std::string metrics_text(const Snapshot& snapshot);

/// GET /v1/log: which records to give.
struct LogQuery {
    std::uint64_t after = 0;
    std::size_t limit = 100;
    std::string kind;   ///< "request", "connection"; empty: both
    std::string status; ///< "403", "4xx"
    std::string client; ///< address or network
    std::string host;
    std::string route;   ///< number
    std::string verdict; ///< of the WAF
};
/// From the query of a request target, "after=1&kind=request". Unknown names are an error: `malformed`.
Result<LogQuery> parse_log_query(std::string_view query);
std::string log_json(const session::LogWriter::Recent& recent, const LogQuery& query);

} // namespace gw::control
