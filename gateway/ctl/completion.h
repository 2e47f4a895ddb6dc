#pragma once

#include "gateway/ctl/commands.h"

#include <string>
#include <string_view>

namespace gw::ctl {

/// A script that completes `description`'s commands, options and values. `shell`: bash, zsh or fish. Pure.
std::string completion_script(std::string_view shell, const CommandDescription& description);

} // namespace gw::ctl
