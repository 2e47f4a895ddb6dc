#include "gateway/config/config.h"
#include "gateway/config/encoding.h"

#include <algorithm>

namespace gw::config {

namespace {

constexpr std::size_t most_shown_bytes = 160;   // of a line; escapes may make it a little longer
constexpr std::size_t shown_before_bytes = 100; // what is wrong
constexpr std::size_t most_printed_bytes = 200;

/// Line `number` of `text`; nothing when there is none.
std::string_view line_of(std::string_view text, int number)
{
    text = without_mark(text);
    for (int at = 1; at < number; ++at) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) return {};
        text.remove_prefix(end + 1);
    }
    text = text.substr(0, text.find('\n'));
    return text.ends_with('\r') ? text.substr(0, text.size() - 1) : text;
}

/// `at`, moved to where a UTF-8 character begins.
std::size_t character_start(std::string_view text, std::size_t at)
{
    while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) --at;
    return std::min(at, text.size());
}

std::string indented_lines(std::string_view text)
{
    std::string out;
    for (bool first = true;; first = false) {
        const auto end = text.find('\n');
        out += (first ? "" : "\n    ") + printable(text.substr(0, end));
        if (end == std::string_view::npos) return out;
        text.remove_prefix(end + 1);
    }
}

/// The line with what is wrong in it, and a caret below.
std::string excerpt(std::string_view line, const Position& where)
{
    const auto column = std::min(static_cast<std::size_t>(std::max(where.column, 1) - 1), line.size());
    const auto begin = column > shown_before_bytes ? character_start(line, column - shown_before_bytes) : 0;
    const auto end = character_start(line, std::min(line.size(), begin + most_shown_bytes));
    std::size_t caret = 0;
    auto shown = printable(line.substr(begin, column - begin), &caret);
    const auto rest = printable(line.substr(column, std::max(end, column) - column));
    const bool fits = shown.size() + rest.size() <= most_printed_bytes;
    if (caret > most_printed_bytes) return {}; // nothing but escapes: no help to anyone
    shown +=
        fits ? rest
             : rest.substr(0, character_start(rest, most_printed_bytes - std::min(shown.size(), most_printed_bytes)));
    const auto number = std::to_string(where.line);
    const std::string_view before = begin > 0 ? "..." : "";
    const std::string_view after = end < line.size() || !fits ? "..." : "";
    const std::string margin(number.size() + 2, ' ');
    return "\n  " + number + " | " + std::string{before} + shown + std::string{after} + "\n" + margin + " | " +
           std::string(before.size() + caret, ' ') + "^";
}

} // namespace

std::string describe(const Problem& problem, const Sources& sources)
{
    auto text = printable(problem.where.text());
    if (!problem.path.empty()) text += ": " + printable(problem.path);
    text += ": " + indented_lines(problem.what);
    const auto source = std::find_if(sources.begin(), sources.end(),
                                     [&](const Source& each) { return each.name == problem.where.file; });
    if (source == sources.end() || problem.where.line < 1) return text;
    const auto line = line_of(source->text, problem.where.line);
    return line.empty() ? text : text + excerpt(line, problem.where);
}

} // namespace gw::config
