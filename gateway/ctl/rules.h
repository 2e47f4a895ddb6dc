#pragma once

#include "gateway/ctl/commands.h"
#include "gateway/ctl/output.h"

namespace gw::ctl {

// What changes the kernel without the daemon. Refused while one runs.

/// Only the guard: what is to be closed while gatewayd is down is closed from now on.
Exit install_guard(const Invocation& invocation, Output& output);
/// All that a gatewayd which no longer runs has left.
Exit remove_rules(const Invocation& invocation, Output& output);

} // namespace gw::ctl
