#pragma once

#include "waf/engine/engine.h"

namespace gw::waf {

/// The life of an inspector: answers the frames that come over `socket` until it is closed. Never returns an error:
/// what breaks the format ends it, as a crash would. Needs `restrict_inspector` and the match guard before.
void serve_inspections(int socket, Engine& engine, const Settings& settings);

/// The match guard's last line: answers "CPU limit reached, leaving" to the socket being served and ends the process.
void leave_out_of_time() noexcept;

} // namespace gw::waf
