#include "gateway/ctl/ctl.h"

#include "gateway/ctl/changing.h"
#include "gateway/ctl/commands.h"
#include "gateway/ctl/completion.h"
#include "gateway/ctl/doctor.h"
#include "gateway/ctl/offline.h"
#include "gateway/ctl/online.h"
#include "gateway/ctl/rules.h"

#include <algorithm>
#include <cstdlib>

namespace gw::ctl {

namespace {

Exit carry_out(const Invocation& invocation, std::string_view version, Output& output)
{
    switch (invocation.command) {
    case Command::status: return show_status(invocation, output);
    case Command::check: return check_file(invocation, output);
    case Command::reload: return reload(invocation, output);
    case Command::upgrade: return upgrade(invocation, output);
    case Command::diff: return diff(invocation, output);
    case Command::apply: return apply(invocation, output);
    case Command::confirm: return confirm(invocation, output);
    case Command::rollback: return rollback(invocation, output);
    case Command::doctor: return examine(invocation, output);
    case Command::explain:
        return names_connection(invocation.url) ? explain_connection(invocation, output)
                                                : explain_url(invocation, output);
    case Command::rules_show:
        return invocation.file.empty() ? show_rules_in_force(invocation, output)
                                       : show_rules_of_file(invocation, output);
    case Command::rules_install: return install_guard(invocation, output);
    case Command::rules_remove: return remove_rules(invocation, output);
    case Command::routes: return show_routes(invocation, output);
    case Command::connections: return show_connections(invocation, output);
    case Command::log: return show_log(invocation, output);
    case Command::metrics: return show_metrics(invocation, output);
    case Command::completion: output.data(completion_script(invocation.shell, describe_commands())); return Exit::ok;
    case Command::version: return show_version(invocation, version, output);
    }
    return Exit::usage;
}

} // namespace

int run(int argc, const char* const* argv, std::string_view version)
{
    Output output;
    const auto* socket = std::getenv("GATEWAY_SOCKET");
    const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
    const auto understood = parse_command_line(arguments, socket ? socket : "", version);
    if (const auto* ending = std::get_if<Ending>(&understood)) {
        if (ending->exit == Exit::ok)
            output.data(ending->text);
        else
            output.message(ending->text);
        return static_cast<int>(output.outcome(ending->exit));
    }
    return static_cast<int>(output.outcome(carry_out(std::get<Invocation>(understood), version, output)));
}

} // namespace gw::ctl
