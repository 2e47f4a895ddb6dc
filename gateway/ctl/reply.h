#pragma once

#include "gateway/ctl/client.h"
#include "gateway/ctl/json.h"
#include "gateway/ctl/output.h"

#include <optional>

namespace gw::ctl {

/// GET, and the JSON of a 200. Errors: the client's; `denied` for 401 and 403; `system` for any other status, with the
/// daemon's own words; `malformed` when it is no JSON.
Result<Json> ask_json(const Client& client, std::string_view target,
                      std::chrono::milliseconds limit = std::chrono::seconds(10));

/// What an answer that is not a success says. Errors of `ask_json`.
Error refusal_of(const Answer& answer);

/// JSON as data: indented on a terminal.
inline void print(const Json& value, Output& output) { output.data(json_text(value, output.on_terminal()) + '\n'); }

/// Says `error` and gives the exit code for it.
Exit fail(const Error& error, const Output& output);

} // namespace gw::ctl
