// fuzz-sources: gateway/config/*.cpp gateway/route/*.cpp
// fuzz-library: yaml-cpp
#include "gateway/config/config.h"
#include "tests/gateway/config/as_yaml.h"

#include <cstdio>
#include <cstdlib>
#include <set>
#include <string_view>

// Any bytes are a configuration or give problems with places. Files are set apart by 0x1e, which none may hold.

namespace {

using namespace gw;

void require(bool holds, const char* what)
{
    if (holds) return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

config::Sources split(std::string_view bytes)
{
    config::Sources sources;
    for (;;) {
        const auto end = bytes.find('\x1e');
        sources.push_back({"file" + std::to_string(sources.size()), std::string{bytes.substr(0, end)}});
        if (end == std::string_view::npos || sources.size() == 4) return sources;
        bytes.remove_prefix(end + 1);
    }
}

std::string check_problems(const Problems& problems, const config::Sources& sources)
{
    std::string all;
    std::string last_file;
    int last_line = 0;
    require(!problems.empty(), "refused for nothing");
    for (const auto& problem : problems) {
        require(problem.where.line >= 1 && problem.where.column >= 1, "a problem without a place");
        require(!problem.what.empty(), "a problem without words");
        require(problem.where.file != last_file || problem.where.line >= last_line, "problems out of order");
        last_file = problem.where.file;
        last_line = problem.where.line;
        const auto text = config::describe(problem, sources);
        for (const char c : text)
            require(c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f), "a control character told");
        all += text + "\n";
    }
    return all;
}

std::string check_settings(const config::Settings& settings)
{
    std::set<std::string> names;
    for (const auto& listener : settings.listeners) {
        require(names.insert(listener.name).second, "two listeners of one name");
        require(listener.intercept.has_value() == listener.bind.empty(), "a listener of no kind, or both");
        require(!listener.intercept || (!listener.intercept->to.empty() && !listener.intercept->ports.empty()),
                "an empty interception");
        require(listener.intercept || listener.otherwise == intake::Otherwise::deny, "original without interception");
    }
    require(settings.routes.size() == settings.route_extras.size(), "routes without extras");
    for (const auto& extras : settings.route_extras)
        require(extras.waf_policy < settings.waf.policies.size(), "no such policy");
    for (const auto& route : settings.routes)
        for (const auto& name : route.listeners) require(names.contains(name), "a dangling name");
    require(settings.netfilter.own_mark == settings.upstream.own_mark, "two marks");
    return config::testing::as_yaml(settings);
}

std::string outcome(const config::Sources& sources)
{
    const auto answer = config::parse(sources);
    if (const auto* problems = std::get_if<Problems>(&answer)) return check_problems(*problems, sources);
    return check_settings(std::get<config::Settings>(answer));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto sources = split({reinterpret_cast<const char*>(data), size});
    const auto first = outcome(sources);
    require(first == outcome(sources), "two readings of one text");
    const auto answer = config::parse(sources);
    if (std::holds_alternative<Problems>(answer)) return 0;
    const config::Sources written{{"file0", first}};
    require(outcome(written) == first, "settings change when written and read again");
    return 0;
}
