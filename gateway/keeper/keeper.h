#pragma once

#include "gateway/base/log.h"

#include <optional>
#include <string>

namespace gw::keeper {

struct Options {
    std::string config_file = "/etc/gateway/gateway.yaml";
    std::optional<log::Level> level; ///< over what the file says
    std::string version;
    std::optional<int> predecessor; ///< a link to the keeper whose place this one takes (upgrade.h)
    std::string state_directory;    ///< what was in force is kept there; empty: nothing is kept
    bool strict_start = false;      ///< a start is with the configuration file or not at all
};

/// The keeper: reads and checks the configuration, holds listening sockets, rules and the control socket, and keeps a
/// data process running. Returns the process's exit status: 0 after SIGTERM or SIGINT, 1 when it could not start.
int run(const Options& options);

/// Prints the rules a configuration asks for, as `gatewayctl rules show` does. Returns an exit status.
int show_rules(const Options& options);

} // namespace gw::keeper
