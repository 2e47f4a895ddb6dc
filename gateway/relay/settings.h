#pragma once

#include <chrono>
#include <cstddef>

namespace gw::relay {

struct Settings {
    std::chrono::milliseconds idle_limit{300'000};       ///< no byte in either direction
    std::chrono::milliseconds half_closed_limit{60'000}; ///< no byte after one side ended
    std::size_t buffer_bytes = 16 * 1024;                ///< a direction, copying
    std::size_t splice_after_bytes = 128 * 1024;         ///< a direction turns to splice after that many
    std::size_t pipe_bytes = 1024 * 1024;                ///< or 256 KiB, where so much is not to be had
};

} // namespace gw::relay
