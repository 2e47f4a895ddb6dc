#pragma once

#include "waf/pool.h"

namespace gw::waf {

class Processes;

/// The inspectors of one worker. Each has one phase in flight at most; what comes while all are busy waits in order.
std::unique_ptr<Inspector> make_worker_inspector(asio::io_context& io, DeadlineWheel& wheel,
                                                 std::shared_ptr<Processes> processes);

} // namespace gw::waf
