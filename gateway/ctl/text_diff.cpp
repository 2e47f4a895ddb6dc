#include "gateway/ctl/text_diff.h"

#include <algorithm>
#include <vector>

namespace gw::ctl {

namespace {

using Lines = std::vector<std::string_view>;

/// More edits than that are not searched for: time and memory grow with their square.
constexpr std::ptrdiff_t most_edits = 2'000;

struct Step {
    char kind;          // ' ', '-', '+'
    std::size_t before; // line numbers from 0 at which it stands
    std::size_t after;
};
using Steps = std::vector<Step>;

/// With their line breaks: a last line without one differs from one with it.
Lines lines_of(std::string_view text)
{
    Lines lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
        lines.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return lines;
}

/// Myers, "An O(ND) difference algorithm and its variations": how far each diagonal reaches with so many edits. One
/// row for each number of edits; empty: too many.
std::vector<std::vector<std::ptrdiff_t>> reaches(const Lines& before, const Lines& after)
{
    const auto n = static_cast<std::ptrdiff_t>(before.size());
    const auto m = static_cast<std::ptrdiff_t>(after.size());
    std::vector<std::vector<std::ptrdiff_t>> rows;
    for (std::ptrdiff_t edits = 0; edits <= std::min(n + m, most_edits); ++edits) {
        std::vector<std::ptrdiff_t> row(static_cast<std::size_t>(2 * edits + 1), -1);
        const auto reached = [&](std::ptrdiff_t diagonal) -> std::ptrdiff_t {
            if (edits == 0 || std::abs(diagonal) > edits - 1) return -1;
            return rows.back()[static_cast<std::size_t>(diagonal + edits - 1)];
        };
        for (std::ptrdiff_t k = -edits; k <= edits; k += 2) {
            const auto down = reached(k + 1), right = reached(k - 1);
            auto x = edits == 0 ? 0 : std::max(down, right < 0 ? -1 : right + 1);
            if (x < 0) continue;
            while (x < n && x - k < m && x - k >= 0 &&
                   before[static_cast<std::size_t>(x)] == after[static_cast<std::size_t>(x - k)])
                ++x;
            row[static_cast<std::size_t>(k + edits)] = x <= n && x - k <= m && x - k >= 0 ? x : -1;
            if (x == n && x - k == m) {
                rows.push_back(std::move(row));
                return rows;
            }
        }
        rows.push_back(std::move(row));
    }
    return {};
}

Steps replaced(const Lines& before, const Lines& after)
{
    Steps steps;
    for (std::size_t i = 0; i < before.size(); ++i) steps.push_back({'-', i, 0});
    for (std::size_t i = 0; i < after.size(); ++i) steps.push_back({'+', before.size(), i});
    return steps;
}

/// From the end back to the start along the rows.
Steps steps_between(const Lines& before, const Lines& after)
{
    const auto rows = reaches(before, after);
    if (rows.empty()) return replaced(before, after);
    Steps steps;
    auto x = static_cast<std::ptrdiff_t>(before.size()), y = static_cast<std::ptrdiff_t>(after.size());
    const auto note = [&](char kind) {
        steps.push_back({kind, static_cast<std::size_t>(x), static_cast<std::size_t>(y)});
    };
    for (auto edits = static_cast<std::ptrdiff_t>(rows.size()) - 1; edits > 0; --edits) {
        const auto k = x - y;
        const auto& row = rows[static_cast<std::size_t>(edits - 1)];
        const auto reached = [&](std::ptrdiff_t diagonal) -> std::ptrdiff_t {
            return std::abs(diagonal) > edits - 1 ? -1 : row[static_cast<std::size_t>(diagonal + edits - 1)];
        };
        const auto down = reached(k + 1), right = reached(k - 1);
        const bool from_above = down > (right < 0 ? -1 : right);
        const auto from_x = from_above ? down : right;
        const auto from_y = from_x - (from_above ? k + 1 : k - 1);
        while (x > from_x + (from_above ? 0 : 1) && y > from_y + (from_above ? 1 : 0)) --x, --y, note(' ');
        from_above ? --y : --x;
        note(from_above ? '+' : '-');
    }
    while (x > 0 && y > 0) --x, --y, note(' ');
    std::reverse(steps.begin(), steps.end());
    return steps;
}

void append_line(std::string& text, char kind, std::string_view line)
{
    text += kind;
    text += line;
    if (!line.ends_with('\n')) text += "\n\\ No newline at end of file\n";
}

std::string range(std::size_t first, std::size_t count)
{
    return std::to_string(count == 0 ? first : first + 1) + (count == 1 ? "" : ',' + std::to_string(count));
}

void append_hunk(std::string& text, const Steps& steps, const Lines& before, const Lines& after)
{
    const auto in_before = static_cast<std::size_t>(
        std::count_if(steps.begin(), steps.end(), [](const Step& step) { return step.kind != '+'; }));
    const auto in_after = static_cast<std::size_t>(
        std::count_if(steps.begin(), steps.end(), [](const Step& step) { return step.kind != '-'; }));
    text += "@@ -" + range(steps[0].before, in_before) + " +" + range(steps[0].after, in_after) + " @@\n";
    for (const auto& step : steps)
        append_line(text, step.kind, step.kind == '+' ? after[step.after] : before[step.before]);
}

/// The common beginning and end cost nothing, however long.
Steps all_steps(const Lines& before, const Lines& after)
{
    std::size_t head = 0, tail = 0;
    const auto shorter = std::min(before.size(), after.size());
    while (head < shorter && before[head] == after[head]) ++head;
    while (tail < shorter - head && before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) ++tail;
    const auto middle = [&](const Lines& lines) {
        return Lines(lines.begin() + static_cast<std::ptrdiff_t>(head),
                     lines.end() - static_cast<std::ptrdiff_t>(tail));
    };
    Steps steps;
    for (std::size_t i = 0; i < head; ++i) steps.push_back({' ', i, i});
    for (auto step : steps_between(middle(before), middle(after)))
        steps.push_back({step.kind, step.before + head, step.after + head});
    for (std::size_t i = 0; i < tail; ++i) steps.push_back({' ', before.size() - tail + i, after.size() - tail + i});
    return steps;
}

} // namespace

std::string unified_diff(std::string_view before, std::string_view after, std::size_t context_lines)
{
    if (before == after) return {};
    const auto old_lines = lines_of(before), new_lines = lines_of(after);
    const auto steps = all_steps(old_lines, new_lines);
    std::string text;
    const auto changed_from = [&](std::size_t at) {
        while (at < steps.size() && steps[at].kind == ' ') ++at;
        return at;
    };
    for (auto at = changed_from(0); at < steps.size();) {
        auto last = at; // of the changes that share a hunk
        for (auto next = changed_from(last + 1); next < steps.size() && next - last <= 2 * context_lines + 1;
             next = changed_from(last + 1))
            last = next;
        const auto first = at - std::min(at, context_lines);
        const auto end = std::min(steps.size(), last + 1 + context_lines);
        append_hunk(
            text,
            Steps(steps.begin() + static_cast<std::ptrdiff_t>(first), steps.begin() + static_cast<std::ptrdiff_t>(end)),
            old_lines, new_lines);
        at = changed_from(last + 1);
    }
    return text;
}

} // namespace gw::ctl
