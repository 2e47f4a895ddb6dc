#include "gateway/ctl/configuration.h"

#include "gateway/filters/headers.h"

namespace gw::ctl {

namespace {

void add_edit_problems(const config::Settings& settings, Problems& into)
{
    for (std::size_t i = 0; i < settings.routes.size(); ++i) {
        const auto& where = settings.routes[i].where;
        const auto path = "routes[" + std::to_string(i) + "].";
        for (auto& problem :
             filters::problems_of(settings.route_extras[i].request_headers, where, path + "request_headers"))
            into.push_back(std::move(problem));
        for (auto& problem :
             filters::problems_of(settings.route_extras[i].response_headers, where, path + "response_headers"))
            into.push_back(std::move(problem));
    }
}

} // namespace

std::variant<Configuration, Rejected> load(const std::string& file)
{
    auto read = config::read_sources(file);
    if (auto* problems = std::get_if<Problems>(&read)) return Rejected{{}, std::move(*problems)};
    auto& sources = std::get<config::Sources>(read);
    auto parsed = config::parse(sources);
    if (auto* problems = std::get_if<Problems>(&parsed)) return Rejected{std::move(sources), std::move(*problems)};
    auto& settings = std::get<config::Settings>(parsed);
    auto built = route::Table::build(settings.routes);
    Problems wrong = std::holds_alternative<Problems>(built) ? std::move(std::get<Problems>(built)) : Problems{};
    add_edit_problems(settings, wrong);
    if (!wrong.empty()) return Rejected{std::move(sources), std::move(wrong)};
    return Configuration{std::move(settings), std::move(std::get<route::Table>(built)), std::move(sources)};
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
