#pragma once

#include "gateway/ctl/commands.h"
#include "gateway/ctl/output.h"

#include <chrono>
#include <optional>
#include <string_view>

namespace gw::ctl {

/// What changes the configuration in force, and what says how it would change.
Exit diff(const Invocation& invocation, Output& output);
Exit apply(const Invocation& invocation, Output& output);
Exit confirm(const Invocation& invocation, Output& output);
Exit rollback(const Invocation& invocation, Output& output);

/// "120s", "2m", "1h", "90": whole seconds from 1 to 3600. None: something else.
std::optional<std::chrono::seconds> parse_trial(std::string_view text);

} // namespace gw::ctl
