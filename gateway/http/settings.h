#pragma once

#include <cstddef>

namespace gw::http {

/// How much of a message's head is taken. One over is refused: 431 for fields, 414 for the request line.
struct Limits {
    std::size_t head_bytes = 32 * 1024;  ///< request or status line and all fields together
    std::size_t fields = 100;            ///< number of header fields
    std::size_t target_bytes = 8 * 1024; ///< request target
};

} // namespace gw::http
