#pragma once

#include "gateway/base/result.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace gw::control {

inline constexpr std::size_t most_log_records = 10'000;
inline constexpr std::chrono::milliseconds longest_log_wait{30'000};

/// "%2F" -> "/"; what is no escape stays.
std::string decoded(std::string_view text);

/// GET /v1/log: which records to give.
struct LogQuery {
    std::uint64_t after = 0;
    std::size_t limit = 100;           ///< at most `most_log_records`
    std::chrono::milliseconds wait{0}; ///< for a record when there is none yet; at most `longest_log_wait`
    std::string kind;                  ///< "request", "connection", "flow", "suppressed"; empty: all
    std::string status;                ///< "403", "4xx"
    std::string client;                ///< address or network
    std::string host;
    std::string route;   ///< number
    std::string verdict; ///< of the WAF
};

/// From the query of a request target, "after=1&kind=request&wait_ms=1000". Values may be percent-encoded. Pure.
/// Errors: `malformed`, side client, for a name there is not and a number that is none.
Result<LogQuery> parse_log_query(std::string_view query);

} // namespace gw::control
