#pragma once

#include "gateway/base/task.h"
#include "gateway/config/settings.h"
#include "gateway/keeper/sockets.h"

#include <chrono>
#include <functional>

namespace gw::keeper {

/// `open_missing`, but not where a socket of another process listens already. To a process of the same user the kernel
/// would allow it, as ours share their ports (SO_REUSEPORT), and then give each some of the connections. For `patience`
/// it waits for such sockets to go, having called `before_waiting`: who was killed a moment ago closes its sockets as
/// it goes. Errors: `refused` when they stay; of `open_missing`.
Task<Result<SocketChange>> open_when_free(asio::io_context& io, const HeldSockets& held,
                                          const config::Settings& settings, std::size_t workers,
                                          std::chrono::milliseconds patience, std::function<void()> before_waiting);

} // namespace gw::keeper
