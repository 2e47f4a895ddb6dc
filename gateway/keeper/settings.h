#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace gw::keeper {

struct Settings {
    std::chrono::milliseconds prepare_limit{60'000}; ///< for the data process to build a configuration
    std::chrono::milliseconds commit_limit{10'000};
    std::chrono::milliseconds handshake_limit{500};  ///< for those under way at a listening socket that goes
    std::chrono::milliseconds closing_limit{2'000};  ///< for the data process to accept nothing more
    std::chrono::milliseconds greeting_limit{5'000}; ///< for a successor to say who it is
    std::chrono::milliseconds retirement_limit{std::chrono::hours{24 * 7}}; ///< for the connections of a predecessor
    std::chrono::milliseconds ask_limit{35'000};    ///< a question of the control socket; above the longest log wait
    std::chrono::milliseconds request_limit{5'000}; ///< for a control client to send its request
    std::size_t control_clients = 64;               ///< at once; more wait in the socket's queue
    std::chrono::milliseconds beat_interval{250};   ///< between two questions whether the workers still turn
    std::chrono::milliseconds beat_limit{1'000};    ///< without an answer for so long it counts as silent
    std::chrono::milliseconds hang_limit{5'000};    ///< and for so long as hung: it is ended
    std::chrono::milliseconds standby_after{2'000}; ///< the second data process starts after the first
    std::chrono::milliseconds steady_after{1'000};  ///< one that served so long was no failed start
    std::chrono::milliseconds first_restart_pause{100}; ///< after the first that failed soon; doubled for each
    std::chrono::milliseconds longest_restart_pause{15'000};
    std::chrono::milliseconds good_after{5'000};    ///< a configuration that served so long is known to be good
    std::uint64_t most_early_ends = 3;              ///< of data processes, or of starts, before it is known to be bad
    std::size_t most_body_bytes = 8 * 1024 * 1024;  ///< of a control client's request
    std::size_t bodies = 4;                         ///< read at once
    std::size_t metrics_clients = 16;               ///< the same for the metrics endpoint, apart from the former
    std::chrono::milliseconds port_patience{2'000}; ///< at a start, for an address that somebody else still has
    std::chrono::milliseconds failed_start_pause{4'000}; ///< before it ends: 20 starts take more than a minute
};

} // namespace gw::keeper
