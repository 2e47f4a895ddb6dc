#pragma once

#include "gateway/ctl/commands.h"
#include "gateway/ctl/output.h"

namespace gw::ctl {

/// What is answered from a file alone, without the daemon.
Exit check_file(const Invocation& invocation, Output& output);
Exit explain_url(const Invocation& invocation, Output& output);
Exit show_rules_of_file(const Invocation& invocation, Output& output);

} // namespace gw::ctl
