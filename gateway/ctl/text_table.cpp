#include "gateway/ctl/text_table.h"

#include <algorithm>
#include <numeric>

namespace gw::ctl {

namespace {

constexpr std::size_t gap = 2;
constexpr std::string_view cut_mark = "...";

/// Widths of the columns shown; 0: left out.
using Widths = std::vector<std::size_t>;

std::size_t total(const Widths& widths)
{
    const auto shown =
        static_cast<std::size_t>(std::count_if(widths.begin(), widths.end(), [](auto w) { return w != 0; }));
    return std::accumulate(widths.begin(), widths.end(), std::size_t{0}) + (shown > 1 ? gap * (shown - 1) : 0);
}

/// Takes one character after the other from the widest column that may still give.
void cut_to(std::size_t limit, const std::vector<Column>& columns, Widths& widths)
{
    for (auto excess = total(widths); excess > limit; --excess) {
        std::size_t widest = columns.size();
        for (std::size_t i = 0; i < columns.size(); ++i) {
            if (columns[i].least == 0 || widths[i] <= columns[i].least) continue;
            if (widest == columns.size() || widths[i] > widths[widest]) widest = i;
        }
        if (widest == columns.size()) return;
        --widths[widest];
    }
}

/// False when no column is left that may go.
bool drop_one(const std::vector<Column>& columns, Widths& widths)
{
    std::size_t first = columns.size();
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (widths[i] == 0 || columns[i].dispensable == 0) continue;
        if (first == columns.size() || columns[i].dispensable > columns[first].dispensable) first = i;
    }
    if (first == columns.size()) return false;
    widths[first] = 0;
    return true;
}

Widths fitted(const std::vector<Column>& columns, const Widths& natural, std::size_t limit)
{
    auto available = natural;
    for (;;) {
        auto widths = available;
        cut_to(limit, columns, widths);
        if (total(widths) <= limit || !drop_one(columns, available)) return widths;
    }
}

std::string cut(const std::string& text, std::size_t width)
{
    if (text.size() <= width) return text;
    if (width <= cut_mark.size()) return text.substr(0, width);
    return text.substr(0, width - cut_mark.size()) + std::string(cut_mark);
}

void append_cell(std::string& line, const Look& look, const Cell& cell, const Column& column, std::size_t width)
{
    const auto text = cut(cell.text, width);
    const std::string padding(width - text.size(), ' ');
    if (!line.empty()) line.append(gap, ' ');
    if (column.right) line += padding;
    line += paint(look, text.empty() ? Colour::none : cell.colour, text);
    if (!column.right) line += padding;
}

} // namespace

void TextTable::add(std::vector<Cell> row)
{
    row.resize(columns_.size());
    rows_.push_back(std::move(row));
}

std::vector<std::size_t> TextTable::natural_widths() const
{
    Widths widths;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        auto width = columns_[i].title.size();
        for (const auto& row : rows_) width = std::max(width, row[i].text.size());
        widths.push_back(width);
    }
    return widths;
}

std::string TextTable::text(const Look& look) const
{
    const auto natural = natural_widths();
    const auto widths = look.width == 0 ? natural : fitted(columns_, natural, look.width);
    std::string whole;
    const auto append_row = [&](const auto& cell_of) {
        std::string line;
        for (std::size_t i = 0; i < columns_.size(); ++i)
            if (widths[i] != 0) append_cell(line, look, cell_of(i), columns_[i], widths[i]);
        line.erase(line.find_last_not_of(' ') + 1);
        whole += line + '\n';
    };
    append_row([&](std::size_t i) { return Cell{columns_[i].title, Colour::strong}; });
    for (const auto& row : rows_) append_row([&](std::size_t i) -> const Cell& { return row[i]; });
    return whole;
}

} // namespace gw::ctl
