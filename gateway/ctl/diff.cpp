#include "gateway/config/read.h"
#include "gateway/ctl/changing.h"
#include "gateway/ctl/configuration.h"
#include "gateway/ctl/meaning.h"
#include "gateway/ctl/reply.h"
#include "gateway/ctl/text_diff.h"
#include "netfilter/local_addresses.h"
#include "netfilter/plan.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

namespace gw::ctl {

namespace {

// As diff(1) has it.
constexpr Exit equal = Exit::ok;
constexpr Exit differs = Exit::wrong;
constexpr Exit trouble = Exit::usage;

/// The daemon's sources and those to compare them with.
struct Two {
    config::Sources before;
    config::Sources after;
    std::string label; ///< what the main file of `after` really is
};

Exit in_trouble(const std::string& what, const Output& output)
{
    output.message(what);
    return trouble;
}

config::Sources sources_in(const Json& answer)
{
    config::Sources sources;
    for (const auto& source : list_at(answer, "sources"))
        sources.push_back({text_at(source, "name"), text_at(source, "text")});
    return sources;
}

std::string text_of(const config::Sources& sources, const std::string& name)
{
    for (const auto& source : sources)
        if (source.name == name) return source.text;
    return {};
}

/// The names of both, each once, in order.
std::vector<std::string> names_in(const Two& two)
{
    std::vector<std::string> names;
    for (const auto* sources : {&two.before, &two.after})
        for (const auto& source : *sources)
            if (std::find(names.begin(), names.end(), source.name) == names.end()) names.push_back(source.name);
    return names;
}

bool has_file(const config::Sources& sources, const std::string& name)
{
    return std::any_of(sources.begin(), sources.end(), [&](const auto& source) { return source.name == name; });
}

std::string diff_of(const Two& two, const std::string& name)
{
    const auto changed = unified_diff(text_of(two.before, name), text_of(two.after, name));
    const bool was = has_file(two.before, name), is = has_file(two.after, name);
    if (changed.empty() && was == is) return {};
    const auto& label = name == two.after[0].name ? two.label : name;
    return "--- " + (was ? name + "\t(in force)" : "/dev/null") + "\n+++ " + (is ? label : "/dev/null") + '\n' +
           changed;
}

// --- kernel rules

std::string rules_of(const config::Settings& settings, const std::map<std::string, std::uint16_t>& ports,
                     const std::vector<std::string>& present)
{
    std::vector<netfilter::Capture> captures;
    for (const auto& listener : settings.listeners)
        if (listener.intercept)
            captures.push_back({listener.name, *listener.intercept, ports.at(listener.name),
                                static_cast<std::uint16_t>(ports.at(listener.name) + 1)});
    if (captures.empty()) return {};
    const auto plan = netfilter::make_plan(settings.netfilter, std::move(captures), present);
    return (plan.settings.backend == netfilter::Backend::iptables ? netfilter::text_of_backend(plan)
                                                                  : netfilter::nft_text(plan)) +
           netfilter::ip_text(plan);
}

/// A listener keeps its (example) port in both, so that only what matters differs.
std::string rules_diff(const config::Settings& before, const config::Settings& after)
{
    auto present = netfilter::present_interfaces();
    if (!present) return {};
    std::map<std::string, std::uint16_t> ports;
    std::uint16_t next = 40'001;
    for (const auto* settings : {&before, &after})
        for (const auto& listener : settings->listeners)
            if (ports.emplace(listener.name, next).second) next = static_cast<std::uint16_t>(next + 2);
    const auto changed = unified_diff(rules_of(before, ports, *present), rules_of(after, ports, *present), 1);
    return changed.empty() ? "" : "--- kernel rules\t(in force, with example ports)\n+++ kernel rules\n" + changed;
}

// --- what is said

std::string painted(const std::string& text, const Look& look)
{
    std::string painted_text;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const auto colour = line.starts_with("---") || line.starts_with("+++") ? Colour::strong
                            : line.starts_with('+')                            ? Colour::green
                            : line.starts_with('-')                            ? Colour::red
                            : line.starts_with("@@")                           ? Colour::faint
                                                                               : Colour::none;
        painted_text += paint(look, colour, harmless(line)) + '\n';
    }
    return painted_text;
}

std::string meaning_text(const std::vector<MeaningChange>& changes, const Look& look)
{
    std::string text;
    for (const auto& change : changes) {
        const auto path = harmless(change.path);
        if (change.kind == MeaningChange::Kind::added)
            text += paint(look, Colour::green, "+ " + path + ": " + harmless(change.to));
        else if (change.kind == MeaningChange::Kind::removed)
            text += paint(look, Colour::red, "- " + path + ": " + harmless(change.from));
        else
            text +=
                paint(look, Colour::yellow, "~ " + path + ": " + harmless(change.from) + " -> " + harmless(change.to));
        text += paint(look, Colour::faint, "  (" + harmless(change.where) + ')') + '\n';
    }
    return text;
}

Json meaning_json(const std::vector<MeaningChange>& changes)
{
    constexpr const char* kinds[] = {"added", "removed", "changed"};
    auto list = Json::array();
    for (const auto& change : changes)
        list.push_back({{"kind", kinds[static_cast<int>(change.kind)]},
                        {"path", change.path},
                        {"from", change.from},
                        {"to", change.to},
                        {"where", change.where}});
    return list;
}

std::variant<config::Sources, Problems> read_other(const std::string& file, const std::string& in_force)
{
    if (file.empty()) return config::read_sources(in_force);
    std::ifstream opened(file, std::ios::binary);
    std::ostringstream text;
    if (!opened || !(text << opened.rdbuf()))
        return Problems{{{file, 0, 0}, "", std::string("cannot be read: ") + std::strerror(errno)}};
    return config::read_sources(in_force, text.str());
}

Exit show(const Two& two, const Invocation& invocation, Output& output)
{
    const auto look = output.look(false);
    std::string text, rules;
    auto files = Json::array();
    for (const auto& name : names_in(two)) {
        const auto changed = diff_of(two, name);
        if (!changed.empty()) files.push_back({{"name", name}, {"diff", changed}});
        text += painted(changed, look);
    }
    const auto changes = changes_between(two.before, two.after);
    const auto before = config::parse(two.before), after = config::parse(two.after);
    const auto* wrong = std::get_if<Problems>(&after);
    if (wrong == nullptr && std::holds_alternative<config::Settings>(before))
        rules = rules_diff(std::get<config::Settings>(before), std::get<config::Settings>(after));
    if (invocation.json) {
        output.data(json_text({{"same", files.empty()},
                               {"valid", wrong == nullptr},
                               {"files", files},
                               {"changes", meaning_json(changes)},
                               {"rules", rules}},
                              output.on_terminal()) +
                    '\n');
    } else if (!files.empty()) {
        output.data(text + painted(rules, look) + '\n' +
                    (changes.empty() ? "nothing changes by meaning\n" : meaning_text(changes, look)));
    }
    if (wrong != nullptr) return in_trouble("it would not be taken:\n" + problems_text({two.after, *wrong}), output);
    return files.empty() ? equal : differs;
}

} // namespace

Exit diff(const Invocation& invocation, Output& output)
{
    const auto answer = ask_json(Client(invocation.socket), "/v1/config");
    if (!answer) return in_trouble(answer.error().what, output);
    Two two{sources_in(*answer), {}, invocation.file};
    const auto file = text_at(*answer, "file");
    if (two.label.empty()) two.label = file;
    auto read = read_other(invocation.file, file);
    if (const auto* problems = std::get_if<Problems>(&read)) return in_trouble(problems_text({{}, *problems}), output);
    two.after = std::move(std::get<config::Sources>(read));
    return show(two, invocation, output);
}

} // namespace gw::ctl
