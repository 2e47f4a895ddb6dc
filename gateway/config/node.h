#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gw::config {

/// Where something stands: number of the source, line and column from 1. Columns count bytes.
struct Place {
    std::uint32_t file = 0;
    int line = 1;
    int column = 1;
    friend auto operator<=>(const Place&, const Place&) = default;
};

/// One value of a YAML document, with its place. A scalar is text, as written; what it means is its type's to say.
struct Node {
    enum class Kind : std::uint8_t { null, scalar, sequence, mapping };
    Kind kind = Kind::null;
    bool plain = false; ///< a scalar without quotes
    Place place;
    std::string text;        ///< of a scalar
    std::vector<Node> items; ///< sequence: its elements; mapping: key, value, key, value ...

    bool is_scalar() const { return kind == Kind::scalar; }
    bool is_sequence() const { return kind == Kind::sequence; }
    bool is_mapping() const { return kind == Kind::mapping; }
    /// The value of the first such key of a mapping; null: none.
    const Node* find(std::string_view key) const
    {
        for (std::size_t at = 0; is_mapping() && at + 1 < items.size(); at += 2)
            if (items[at].text == key) return &items[at + 1];
        return nullptr;
    }
};

} // namespace gw::config
