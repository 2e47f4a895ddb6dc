#include "gateway/ctl/commands.h"

#include "gateway/ctl/changing.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <optional>
#include <sstream>

namespace gw::ctl {

namespace {

constexpr std::string_view file_type = "FILE";

/// PRODUCT names them; they answer by name until they exist, and are not listed.
constexpr std::array not_yet{"waf", "ban", "pool", "tunnel", "certificate", "support-bundle"};

constexpr const char* exit_codes =
    "Exit codes: 0 ok, 1 what was asked about is wrong, 2 usage, 3 gatewayd cannot be reached, 4 not allowed,\n"
    "5 gatewayd refused or failed, 6 doctor: only warnings, 130 interrupted. See gatewayctl(1).";

CLI::App* command(CLI::App& app, const char* name, const char* help, Command which, Invocation& into)
{
    auto* made = app.add_subcommand(name, help);
    made->parse_complete_callback([&into, which] { into.command = which; });
    return made;
}

void add_json(CLI::App* command, Invocation& into) { command->add_flag("--json", into.json, "print JSON"); }

void add_wide(CLI::App* command, Invocation& into)
{
    command->add_flag("--wide", into.wide, "do not cut or leave out columns to fit the terminal");
}

void add_file_commands(CLI::App& app, Invocation& into)
{
    auto* check =
        command(app, "check", "check a configuration file: every problem, with its line", Command::check, into);
    check->add_option("file", into.file, "default: /etc/gateway/gateway.yaml")->type_name(std::string(file_type));
    add_json(check, into);

    auto* explain = command(app, "explain", "say what would become of a request, or became of a connection, and why",
                            Command::explain, into);
    explain
        ->add_option("what", into.url,
                     "http://, https:// or tcp://host:port; or a connection: its id, or its client's address:port")
        ->required()
        ->type_name("URL|CONNECTION");
    explain->add_option("--config", into.file, "default: /etc/gateway/gateway.yaml")->type_name(std::string(file_type));
    explain->add_option("--method", into.method, "request method, default GET")->type_name("METHOD");
    explain->add_option("--client", into.client, "the client's address")->type_name("ADDRESS");
    explain->add_option("--to", into.to, "the destination's address, instead of what the URL's host resolves to")
        ->type_name("ADDRESS[:PORT]");
    explain->add_option("--listener", into.listener, "as if this listener had taken it")->type_name("NAME");
    explain->add_option("--header", into.headers, "a field of the request; may be repeated")
        ->type_name("'NAME: VALUE'")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    explain->add_flag("--all", into.all, "each listener and route, however many");
    add_json(explain, into);

    auto* doctor = command(app, "doctor", "find what would break interception on this host, and say what mends it",
                           Command::doctor, into);
    doctor->add_option("--config", into.file, "default: the daemon's, or /etc/gateway/gateway.yaml")
        ->type_name(std::string(file_type));
    doctor->add_flag("--offline", into.offline, "look at the file and the host only, without asking gatewayd");
    doctor->add_flag("--probe", into.probe, "send a connection of its own through the rules (root)");
    doctor->add_flag("--all", into.all, "also what is well");
    add_json(doctor, into);

    auto* rules = app.add_subcommand("rules", "the kernel rules");
    rules->require_subcommand(1);
    auto* show =
        command(*rules, "show", "print the rules in force, or those a file would give", Command::rules_show, into);
    show->add_option("--config", into.file, "of this file, without asking gatewayd")->type_name(std::string(file_type));
    add_json(show, into);
    auto* install = command(*rules, "install", "close what is to be closed while gatewayd is not running (when_down)",
                            Command::rules_install, into);
    install->add_option("--config", into.file, "default: /etc/gateway/gateway.yaml")->type_name(std::string(file_type));
    auto* remove =
        command(*rules, "remove", "take away all that a gatewayd which no longer runs has left in the kernel",
                Command::rules_remove, into);
    remove->add_option("--config", into.file, "default: /etc/gateway/gateway.yaml")->type_name(std::string(file_type));
}

/// `--confirm FILE` is meant as `--confirm` and FILE.
void take_trial(const std::vector<std::string>& values, Invocation& into)
{
    const auto text = values.empty() || values[0].empty() ? "120s" : values[0];
    const auto trial = parse_trial(text);
    if (!trial && (!into.file.empty() || (text[0] >= '0' && text[0] <= '9')))
        throw CLI::ValidationError("--confirm", "how long the trial lasts, from 1s to 1h");
    if (!trial) into.file = text;
    into.trial_seconds = trial ? static_cast<int>(trial->count()) : 120;
}

void add_changes(CLI::App& app, Invocation& into)
{
    auto* diff = command(app, "diff", "how a file differs from the configuration in force", Command::diff, into);
    diff->add_option("file", into.file, "default: the daemon's configuration file")->type_name(std::string(file_type));
    add_json(diff, into);
    auto* apply = command(app, "apply", "put a file in force, on trial if you like, and keep it", Command::apply, into);
    apply->add_option("file", into.file, "default: the daemon's configuration file")->type_name(std::string(file_type));
    auto* trial = apply->add_option("--confirm", "go back by itself unless confirmed in this time, default 120s");
    trial->expected(0, 1)->type_name("TIME");
    apply->add_flag("--no-wait", into.no_wait, "with --confirm: do not wait for how the trial ends");
    apply->parse_complete_callback([&into, trial] {
        into.command = Command::apply;
        if (trial->count() > 0) take_trial(trial->results(), into);
    });
    add_json(apply, into);
    add_json(command(app, "confirm", "keep the configuration that is on trial", Command::confirm, into), into);
    auto* rollback = command(app, "rollback", "go back to a configuration before", Command::rollback, into);
    rollback->add_option("back", into.back, "how many changes, default 1")->type_name("N")->check(CLI::Range(1, 1'000));
    rollback->add_flag("--list", into.list, "what there is to go back to");
    add_json(rollback, into);
}

void add_log(CLI::App& app, Invocation& into)
{
    auto* log = command(app, "log", "print the last connections and requests", Command::log, into);
    log->add_flag("-f,--follow", into.live, "go on with new ones as they end");
    log->add_option("-n,--lines", into.lines, "how many of the past, default 100")
        ->type_name("COUNT")
        ->check(CLI::Range(0, 100'000));
    log->add_option("--kind", into.kind, "connection, request, flow or suppressed")
        ->check(CLI::IsMember({"connection", "request", "flow", "suppressed"}));
    log->add_option("--status", into.status, "404, or a class: 5xx")->type_name("STATUS");
    log->add_option("--client", into.client, "address or network")->type_name("ADDRESS");
    log->add_option("--host", into.host, "host of the request, or name of the TLS server")->type_name("NAME");
    log->add_option("--route", into.route, "number of the route")->type_name("NUMBER");
    log->add_option("--verdict", into.verdict, "of the WAF")
        ->check(CLI::IsMember({"pass", "detected", "block", "failed"}));
    log->add_flag("--json", into.json, "print JSON, one record a line");
}

void add_daemon_commands(CLI::App& app, Invocation& into)
{
    auto* status =
        command(app, "status", "health, listeners, rates, rules and WAF on one screen", Command::status, into);
    status->add_flag("--watch", into.live, "every second, until Ctrl-C");
    add_json(status, into);
    add_wide(status, into);
    command(app, "reload", "put the changed configuration in force", Command::reload, into);
    add_json(app.get_subcommand("reload"), into);
    command(app, "upgrade", "let the program that is installed now take over", Command::upgrade, into);
    add_json(app.get_subcommand("upgrade"), into);
    auto* routes = command(app, "routes", "the routes in force, with their hits", Command::routes, into);
    add_json(routes, into);
    add_wide(routes, into);
    auto* connections = command(app, "connections", "the connections under way", Command::connections, into);
    connections->add_flag("--top", into.top, "the busiest first, by bytes a second");
    connections->add_option("--by", into.by, "the largest first, by this")
        ->check(CLI::IsMember({"bytes", "rate", "age", "requests"}));
    connections->add_flag("--watch", into.live, "every second, until Ctrl-C");
    connections->add_option("--client", into.client, "of this address or network")->type_name("ADDRESS");
    connections->add_option("--listener", into.listener, "of this listener")->type_name("NAME");
    connections->add_option("--upstream", into.upstream, "to this upstream")->type_name("ADDRESS[:PORT]");
    connections->add_option("--limit", into.limit, "how many at most, default 10000")
        ->type_name("COUNT")
        ->check(CLI::Range(1, 100'000));
    add_json(connections, into);
    add_wide(connections, into);
    add_log(app, into);
    command(app, "metrics", "print the Prometheus metrics", Command::metrics, into);
}

void describe(CLI::App& app, Invocation& into)
{
    app.name("gatewayctl");
    app.footer(exit_codes);
    app.require_subcommand(1);
    app.fallthrough();
    app.set_help_all_flag();
    app.add_option("--socket", into.socket, "gatewayd's control socket; also the variable GATEWAY_SOCKET")
        ->type_name(std::string(file_type));
    add_daemon_commands(app, into);
    add_changes(app, into);
    add_file_commands(app, into);
    auto* completion = command(app, "completion", "print a completion script", Command::completion, into);
    completion->add_option("shell", into.shell, "the shell it is for")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    auto* version = command(app, "version", "print the versions of gatewayctl and gatewayd", Command::version, into);
    add_json(version, into);
}

std::vector<const CLI::App*> commands_of(const CLI::App& app)
{
    return app.get_subcommands([](const CLI::App*) { return true; });
}

std::size_t distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        auto diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j)
            diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])}));
    }
    return row.back();
}

Ending unknown(const std::string& word, const CLI::App& among)
{
    std::string text = "unknown command \"" + word + '"';
    std::size_t least = 3;
    std::string nearest;
    for (const auto* known : commands_of(among))
        if (const auto d = distance(word, known->get_name()); d < least) least = d, nearest = known->get_name();
    text += nearest.empty() ? "; see gatewayctl --help" : "; did you mean \"" + nearest + "\"?";
    return {Exit::usage, std::move(text)};
}

/// The words before the first that is no command, and that one: CLI11 would call it only "not expected".
std::optional<Ending> wrong_command(const std::vector<std::string>& arguments, const CLI::App& app)
{
    const auto* level = &app;
    for (std::size_t i = 0; i < arguments.size() && !commands_of(*level).empty(); ++i) {
        const auto& word = arguments[i];
        if (word == "--socket") ++i;
        if (word.starts_with("-")) continue;
        const auto is = [&](const char* name) { return word == name; };
        if (level == &app && std::any_of(not_yet.begin(), not_yet.end(), is))
            return Ending{Exit::usage, '"' + word + "\" is not supported yet"};
        const auto below = commands_of(*level);
        const auto found =
            std::find_if(below.begin(), below.end(), [&](const CLI::App* one) { return one->get_name() == word; });
        if (found == below.end()) return unknown(word, *level);
        level = *found;
    }
    return std::nullopt;
}

OptionDescription described(const CLI::Option& option)
{
    OptionDescription made;
    for (const auto& name : option.get_snames()) made.names.push_back('-' + name);
    for (const auto& name : option.get_lnames()) made.names.push_back("--" + name);
    made.help = option.get_description();
    made.takes_value = option.get_items_expected_max() > 0;
    made.file = made.takes_value && option.get_type_name() == file_type;
    // IsMember names itself "{a,b,c}".
    const auto type = option.get_type_name();
    const auto open = type.find('{');
    if (open == std::string::npos) return made;
    const auto inside = type.substr(open + 1, type.find('}') - open - 1);
    made.values = CLI::detail::split(inside, ',');
    return made;
}

CommandDescription described(const CLI::App& app)
{
    CommandDescription made{app.get_name(), app.get_description(), {}, {}};
    for (const auto* option : app.get_options()) made.options.push_back(described(*option));
    for (const auto* below : commands_of(app)) made.commands.push_back(described(*below));
    return made;
}

} // namespace

std::variant<Invocation, Ending> parse_command_line(std::vector<std::string> arguments, std::string_view socket,
                                                    std::string_view version)
{
    Invocation invocation;
    if (!socket.empty()) invocation.socket = socket;
    CLI::App app("Asks and tells gatewayd, the transparent gateway.");
    describe(app, invocation);
    app.set_version_flag("--version", "gatewayctl " + std::string(version));
    if (auto ending = wrong_command(arguments, app)) return *ending;
    std::reverse(arguments.begin(), arguments.end()); // as CLI11 takes them
    try {
        app.parse(std::move(arguments));
    } catch (const CLI::Success& said) { // --help, --version
        std::ostringstream text, ignored;
        app.exit(said, text, ignored);
        return Ending{Exit::ok, text.str()};
    } catch (const CLI::ParseError& wrong) {
        return Ending{Exit::usage, std::string(wrong.what()) + "; see gatewayctl --help"};
    }
    return invocation;
}

CommandDescription describe_commands()
{
    Invocation ignored;
    CLI::App app("gatewayctl");
    describe(app, ignored);
    return described(app);
}

} // namespace gw::ctl
