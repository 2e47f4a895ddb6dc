#pragma once

#include "gateway/ctl/commands.h"
#include "gateway/ctl/output.h"

#include <string_view>

namespace gw::ctl {

/// What the running daemon is asked.
Exit show_status(const Invocation& invocation, Output& output);
Exit reload(const Invocation& invocation, Output& output);
Exit upgrade(const Invocation& invocation, Output& output);
Exit show_routes(const Invocation& invocation, Output& output);
Exit show_rules_in_force(const Invocation& invocation, Output& output);
Exit show_metrics(const Invocation& invocation, Output& output);
/// Ok even when no daemon answers: this program's own version is the answer.
Exit show_version(const Invocation& invocation, std::string_view own_version, Output& output);

/// In connections.cpp: once, or with `live` again and again.
Exit show_connections(const Invocation& invocation, Output& output);

/// In explain_connection.cpp: one connection, by its id or its client's address and port.
Exit explain_connection(const Invocation& invocation, Output& output);
/// Whether what is to be explained is a connection, and not a URL.
bool names_connection(std::string_view text);

/// In follow_log.cpp: the past, and with `live` what comes.
Exit show_log(const Invocation& invocation, Output& output);

} // namespace gw::ctl
