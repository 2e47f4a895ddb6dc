#pragma once

#include "gateway/base/position.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace gw::waf {

enum class Mode { off, detect, block };
enum class OverLimit { reject, pass_uninspected };
enum class OnFailure { block, pass };

/// What one route (or everything) is inspected by. Equal policies share one compiled rule set.
struct Policy {
    Mode mode = Mode::off;
    int paranoia = 1;          ///< 1..4
    int request_threshold = 5; ///< anomaly score at which a request is blocked
    int response_threshold = 4;
    std::vector<std::uint32_t> disable_rules;                          ///< sorted
    std::map<std::uint32_t, std::vector<std::string>> disable_targets; ///< rule id -> SecLang targets, "ARGS:html"
    friend bool operator==(const Policy&, const Policy&) = default;
};

struct Settings {
    std::vector<Policy> policies{Policy{}}; ///< number 0: the global one; routes refer to others by number
    bool crs = true;                        ///< `rules: crs`
    std::vector<std::string> rule_files;    ///< else these SecLang files, absolute paths
    std::size_t request_max_bytes = 1024 * 1024;
    std::size_t response_max_bytes = 512 * 1024; ///< the first that many bytes of a response are inspected
    OverLimit over_limit = OverLimit::reject;    ///< of a request body
    OnFailure on_failure = OnFailure::block;
    std::chrono::milliseconds request_cpu_limit{100}; ///< matching stops there; the request is refused
    std::chrono::milliseconds deadline{1'000};        ///< wall clock for one phase; then the inspector is killed
    std::size_t queue_limit = 256; ///< requests waiting for an inspector, a worker; more fail at once
    friend bool operator==(const Settings&, const Settings&) = default;
};

} // namespace gw::waf
