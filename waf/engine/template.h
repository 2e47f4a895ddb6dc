#pragma once

namespace gw::waf {

/// The whole program: reads the settings over `link_fd`, compiles the rules, gives up its privileges, then makes
/// inspectors on demand until the link is closed. Returns the exit code.
int run_template(int link_fd);

} // namespace gw::waf
