#include "gateway/keeper/load.h"

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

} // namespace

std::variant<Loaded, Rejection> load(const std::string& file)
{
    auto read = config::read_sources(file);
    if (const auto* problems = std::get_if<Problems>(&read)) return rejection_of(*problems, {});
    return load(std::move(std::get<config::Sources>(read)));
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

} // namespace gw::keeper
