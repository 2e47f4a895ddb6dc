#pragma once

#include "gateway/ctl/exit.h"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gw::ctl {

enum class Command {
    status,
    check,
    reload,
    upgrade,
    diff,
    apply,
    confirm,
    rollback,
    explain,
    doctor,
    rules_show,
    rules_install,
    rules_remove,
    routes,
    connections,
    log,
    metrics,
    completion,
    version,
};

/// The command line, understood.
struct Invocation {
    Command command = Command::status;
    std::string socket = "/run/gateway/control.sock";
    bool json = false;
    bool wide = false;
    bool live = false;     ///< status --watch, connections --watch, log --follow
    bool top = false;      ///< connections
    std::string by;        ///< connections: bytes, rate, age, requests
    int limit = 0;         ///< connections: how many the daemon lists; 0: its own limit
    std::string upstream;  ///< connections
    bool all = false;      ///< explain, doctor
    bool probe = false;    ///< doctor
    bool offline = false;  ///< doctor: without asking the daemon
    int trial_seconds = 0; ///< apply --confirm; 0: without
    bool no_wait = false;
    bool list = false; ///< rollback
    int back = 1;
    std::string file; ///< check FILE, --config FILE; empty: the usual one, or the daemon
    std::string url;  ///< explain: a URL, or a connection
    std::string method = "GET";
    std::string client; ///< explain, log, connections
    std::string to;
    std::string listener;
    std::vector<std::string> headers;
    int lines = 100;  ///< log
    std::string kind; ///< log filters, as the daemon takes them
    std::string status;
    std::string host;
    std::string route;
    std::string verdict;
    std::string shell; ///< completion
};

/// Nothing is left to do but to say this: help, the version, or what is wrong with the command line.
struct Ending {
    Exit exit = Exit::usage;
    std::string text; ///< to standard output when `exit` is ok, else to standard error
};

/// `arguments`: without the program's name. `socket`: of the environment, may be empty.
std::variant<Invocation, Ending> parse_command_line(std::vector<std::string> arguments, std::string_view socket,
                                                    std::string_view version);

/// What can be typed, for completion. Taken from the very description the command line is parsed with.
struct OptionDescription {
    std::vector<std::string> names; ///< "-n", "--lines"; empty for a positional
    std::string help;
    bool takes_value = false;
    bool file = false;               ///< its value is a file name
    std::vector<std::string> values; ///< all it may be; empty: anything
};
struct CommandDescription {
    std::string name;
    std::string help;
    std::vector<OptionDescription> options;
    std::vector<CommandDescription> commands;
};
CommandDescription describe_commands();

} // namespace gw::ctl
