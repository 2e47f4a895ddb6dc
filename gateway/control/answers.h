#pragma once

#include "gateway/control/log_query.h"
#include "gateway/session/counters.h"
#include "gateway/session/generation.h"
#include "gateway/session/log_writer.h"
#include "waf/pool.h"

#include <string>
#include <string_view>
#include <vector>

namespace gw::control {

/// What is known when a question of the control socket is answered. Plain values: making the texts is pure.
struct Snapshot {
    session::GenerationPtr generation;
    session::Counters counters; ///< of all workers that answered
    std::size_t workers = 0;
    std::size_t workers_silent = 0; ///< did not answer in time
    double requests_per_second = 0;
    std::uint64_t log_dropped = 0;
    std::size_t connections_limit = 0;     ///< as it is in force, after the limit of open files
    std::uint64_t memory_bytes = 0;        ///< in use; 0: not looked at
    std::uint64_t memory_budget_bytes = 0; ///< 0: none
    std::uint64_t bodies_refused = 0;      ///< that could not be held for inspection because of it
    std::vector<std::string> problems{};   ///< of the process itself
    waf::InspectorProcesses::Status waf;
    bool waf_running = false;
};

/// The data process's part of GET /v1/status; the keeper adds its own. docs/control-api.md.
std::string status_json(const Snapshot& snapshot);
std::string routes_json(const Snapshot& snapshot);
/// Prometheus text format 0.0.4.
std::string metrics_text(const Snapshot& snapshot);

/// Those of the newest records that fit `query`.
std::string log_json(const session::LogWriter::Recent& recent, const LogQuery& query);

} // namespace gw::control
