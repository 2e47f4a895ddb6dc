#include "gateway/ctl/configuration.h"

namespace gw::ctl {

std::variant<Configuration, Rejected> load(const std::string& file)
{
    auto read = config::read_sources(file);
    if (auto* problems = std::get_if<Problems>(&read)) return Rejected{{}, std::move(*problems)};
    auto& sources = std::get<config::Sources>(read);
    auto parsed = config::parse(sources);
    if (auto* problems = std::get_if<Problems>(&parsed)) return Rejected{std::move(sources), std::move(*problems)};
    auto& settings = std::get<config::Settings>(parsed);
    auto built = route::Table::build(settings.routes);
    if (auto* problems = std::get_if<Problems>(&built)) return Rejected{std::move(sources), std::move(*problems)};
    return Configuration{std::move(settings), std::move(std::get<route::Table>(built))};
}

std::string problems_text(const Rejected& rejected)
{
    std::string text;
    for (const auto& problem : rejected.problems) {
        text += config::describe(problem, rejected.sources);
        if (text.empty() || text.back() != '\n') text += '\n';
    }
    return text;
}

} // namespace gw::ctl
