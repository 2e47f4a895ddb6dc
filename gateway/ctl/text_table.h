#pragma once

#include "gateway/ctl/text.h"

#include <string>
#include <vector>

namespace gw::ctl {

struct Column {
    std::string title;
    bool right = false;    ///< numbers stand at the right
    std::size_t least = 0; ///< may be cut down to that many characters; 0: never cut
    int dispensable = 0;   ///< left out when cutting was not enough, the highest first; 0: never
};

struct Cell {
    std::string text; ///< printable ASCII: escape what is not ours with `plain`
    Colour colour = Colour::none;
};

/// Rows under titles, aligned with two spaces between, cut or thinned out to fit `Look::width`. Pure.
class TextTable {
public:
    explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}
    /// As many cells as there are columns; missing ones are empty.
    void add(std::vector<Cell> row);
    bool empty() const { return rows_.empty(); }
    std::string text(const Look& look) const;

private:
    std::vector<std::size_t> natural_widths() const;
    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
};

} // namespace gw::ctl
