#include "gateway/config/config.h"
#include "gateway/confine/confine.h"
#include "gateway/control/build.h"
#include "gateway/control/data_process.h"
#include "gateway/keeper/keeper.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

namespace {

int check(const std::string& file)
{
    const auto read = gw::config::read_sources(file);
    const auto* sources = std::get_if<gw::config::Sources>(&read);
    const auto parsed = sources ? gw::config::parse(*sources) : std::variant<gw::config::Settings, gw::Problems>{};
    auto problems = sources ? gw::Problems{} : std::get<gw::Problems>(read);
    if (const auto* wrong = std::get_if<gw::Problems>(&parsed))
        problems = *wrong;
    else if (sources)
        problems = gw::control::check(std::get<gw::config::Settings>(parsed));
    for (const auto& problem : problems)
        std::fprintf(stderr, "%s\n", gw::config::describe(problem, sources ? *sources : gw::config::Sources{}).c_str());
    if (problems.empty()) std::printf("%s: good\n", file.c_str());
    return problems.empty() ? 0 : 1;
}

/// What the service manager says; else the usual one, where somebody has made it.
std::string default_state_directory()
{
    if (const char* named = std::getenv("STATE_DIRECTORY"); named != nullptr && *named != '\0')
        return std::string{named}.substr(0, std::string{named}.find(':'));
    std::error_code ignored;
    return std::filesystem::is_directory("/var/lib/gateway", ignored) ? "/var/lib/gateway" : "";
}

} // namespace

int main(int count, char** values)
{
    // What passes through, and what was in memory before, ends in no core file. A kernel that cannot is no reason to
    // stop.
    const auto hidden = gw::confine::hide_memory();
    (void)hidden;
    CLI::App app{"The gateway's daemon. gatewayctl is the program for people."};
    gw::keeper::Options options;
    options.version = GW_VERSION;
    std::string role;
    int link = -1;
    bool check_only = false;
    bool show_rules = false;
    const std::map<std::string, gw::log::Level> levels{{"debug", gw::log::Level::debug},
                                                       {"info", gw::log::Level::info},
                                                       {"warning", gw::log::Level::warning},
                                                       {"error", gw::log::Level::error}};
    app.add_option("-c,--config", options.config_file, "the configuration")->capture_default_str();
    app.add_flag("--check", check_only, "check the configuration, print every problem, and end");
    app.add_flag("--show-rules", show_rules, "print the kernel rules the configuration asks for, and end");
    app.add_option("--log-level", options.level, "over logs.level")->transform(CLI::CheckedTransformer(levels));
    app.add_option("--state-dir", options.state_directory, "what was in force is kept there, for rollback and bad days")
        ->default_str("$STATE_DIRECTORY, or /var/lib/gateway where it exists");
    app.add_flag("--strict-start", options.strict_start, "do not start with the last-known-good configuration instead");
    app.add_option("--role", role)->group("");
    app.add_option("--link-fd", link)->group("");
    app.set_version_flag("--version", std::string{"gatewayd "} + GW_VERSION);
    CLI11_PARSE(app, count, values);

    if (role == "data") gw::control::run_data_process(gw::Descriptor{link});
    if (role == "successor") options.predecessor = link;
    if (check_only) return check(options.config_file);
    if (show_rules) return gw::keeper::show_rules(options);
    if (app.count("--state-dir") == 0) options.state_directory = default_state_directory();
    ::setenv("STATE_DIRECTORY", options.state_directory.c_str(), 1); // a successor has no options of its own
    return gw::keeper::run(options);
}
