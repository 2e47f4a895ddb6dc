#pragma once

#include <string_view>

namespace gw::ctl {

/// gatewayctl, whole: understands the command line, asks the daemon or a file, prints. Returns the exit code, one of
/// `Exit`. `version`: of this program.
int run(int argc, const char* const* argv, std::string_view version);

} // namespace gw::ctl
