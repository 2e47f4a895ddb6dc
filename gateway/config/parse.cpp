#include "gateway/config/config.h"
#include "gateway/config/draft.h"
#include "gateway/config/reading.h"
#include "gateway/config/rules.h"
#include "gateway/config/walk.h"
#include "gateway/config/yaml.h"

#include <algorithm>

namespace gw::config {

namespace {

constexpr std::size_t most_bytes_of_a_file = 16 * 1024 * 1024;

constexpr std::string_view least_that_works = "no listeners, so the gateway would do nothing. The least that works:\n"
                                              "listeners:\n"
                                              "  - intercept: {to: [192.0.2.0/24], ports: [80, 443]}\n"
                                              "waf: {mode: detect}\n"
                                              "(\"listeners: []\" says that none are wanted.)";

/// The documents that could be read; what could not goes into `report`.
std::vector<Node> read_documents(const Sources& sources, Report& report)
{
    std::vector<Node> documents;
    documents.reserve(sources.size()); // notes point into them
    for (std::uint32_t file = 0; file < sources.size(); ++file) {
        if (sources[file].text.size() > most_bytes_of_a_file) {
            report.add({file, 1, 1}, "", "is larger than 16 MiB");
            continue;
        }
        auto answer = parse_yaml(sources[file].text, file);
        if (auto* mistake = std::get_if<Mistake>(&answer))
            report.add(mistake->place, "", std::move(mistake->what), true);
        else
            documents.push_back(std::move(std::get<Node>(answer)));
    }
    return documents;
}

void refuse_inner_include(const Node& document, Report& report)
{
    if (document.place.file == 0 || !document.find("include")) return;
    for (std::size_t at = 0; at + 1 < document.items.size(); at += 2)
        if (document.items[at].text == "include")
            report.add(document.items[at].place, "include", "only the main file may include others");
}

} // namespace

std::variant<Settings, std::vector<Finding>> read_settings(const Sources& sources)
{
    Report report;
    if (sources.empty()) report.add({}, "", "nothing to read");
    const auto documents = read_documents(sources, report);
    const bool all_readable = report.empty();

    Draft draft{sources};
    Walker walker{draft, report};
    for (const auto& document : documents) {
        refuse_inner_include(document, report);
        walker.read(document);
    }
    complete(draft);
    if (all_readable) {
        check_together(draft, report);
        check_pools(draft, report);
        const bool named =
            std::any_of(documents.begin(), documents.end(), [](const Node& d) { return d.find("listeners"); });
        // With other problems it would only distract: the key may just be mistyped.
        if (!named && report.empty()) report.add({}, "listeners", std::string{least_that_works});
    }
    if (!report.empty()) return report.take();
    return std::move(draft.settings);
}

std::variant<Settings, Problems> parse(const Sources& sources)
{
    auto answer = read_settings(sources);
    if (auto* settings = std::get_if<Settings>(&answer)) return std::move(*settings);
    Problems problems;
    for (auto& finding : std::get<std::vector<Finding>>(answer)) {
        auto name = finding.place.file < sources.size() ? sources[finding.place.file].name : std::string{};
        problems.push_back({{std::move(name), finding.place.line, finding.place.column},
                            std::move(finding.path),
                            std::move(finding.what)});
    }
    return problems;
}

} // namespace gw::config
