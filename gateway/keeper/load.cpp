#include "gateway/keeper/load.h"

#include "gateway/base/log.h"
#include "gateway/config/read.h"

namespace gw::keeper {

namespace {

Rejection rejection_of(const Problems& problems, const config::Sources& sources)
{
    Rejection rejection;
    for (const auto& problem : problems) {
        const auto text = config::describe(problem, sources);
        if (!rejection.text.empty()) rejection.text += '\n';
        rejection.text += text;
        rejection.problems.push_back(
            {{"where", problem.where.text()}, {"path", problem.path}, {"what", problem.what}, {"text", text}});
    }
    return rejection;
}

std::variant<Loaded, Rejection> load_read(std::variant<config::Sources, Problems> read)
{
    if (const auto* problems = std::get_if<Problems>(&read)) return rejection_of(*problems, {});
    return load(std::move(std::get<config::Sources>(read)));
}

} // namespace

std::variant<Loaded, Rejection> load(const std::string& file) { return load_read(config::read_sources(file)); }

std::variant<Loaded, Rejection> load(const std::string& file, std::string text)
{
    return load_read(config::read_sources(file, std::move(text)));
}

std::variant<Loaded, Rejection> load(config::Sources sources)
{
    Loaded loaded;
    loaded.sources = std::move(sources);
    auto parsed = config::parse(loaded.sources);
    if (const auto* problems = std::get_if<Problems>(&parsed)) return rejection_of(*problems, loaded.sources);
    loaded.settings = std::move(std::get<config::Settings>(parsed));
    return loaded;
}

std::string fixed_changes(const config::Settings& now, const config::Settings& next)
{
    std::string changed;
    const auto note = [&](bool same, const char* name) {
        if (!same) changed += (changed.empty() ? "" : ", ") + std::string{name};
    };
    note(now.control.workers == next.control.workers, "workers");
    note(now.control.socket == next.control.socket, "admin.socket");
    note(now.control.group == next.control.group, "admin.group");
    note(now.netfilter == next.netfilter, "kernel");
    return changed;
}

void log_warnings(const Loaded& loaded)
{
    for (const auto& warning : loaded.settings.warnings)
        log::warning("configuration: " + config::describe(warning, loaded.sources));
}

} // namespace gw::keeper
