#pragma once

#include <chrono>
#include <cstddef>

namespace gw::keeper {

struct Settings {
    std::chrono::milliseconds prepare_limit{60'000}; ///< for the data process to build a configuration
    std::chrono::milliseconds commit_limit{10'000};
    std::chrono::milliseconds ask_limit{35'000};    ///< a question of the control socket; above the longest log wait
    std::chrono::milliseconds request_limit{5'000}; ///< for a control client to send its request
    std::size_t control_clients = 64;               ///< at once; more wait in the socket's queue
    std::size_t metrics_clients = 16;               ///< the same for the metrics endpoint, apart from the former
};

} // namespace gw::keeper
