#pragma once

#include "gateway/base/task.h"

#include <chrono>

namespace gw::keeper {

/// Tells the service manager, when it wants to know, that this process has its turns: three times within the time that
/// it allows (sd_watchdog_enabled(3)). Ends when nobody wants to know.
Task<void> feed_watchdog(asio::io_context& io);

/// What hindered this start, an address that comes later or a port in use, may be gone soon. The service manager tries
/// again at once, and gives up after some starts within a minute; at this pace it never does.
Task<void> put_off_next_start(asio::io_context& io, std::chrono::milliseconds time);

} // namespace gw::keeper
