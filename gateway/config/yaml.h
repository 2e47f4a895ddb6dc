#pragma once

#include "gateway/config/node.h"

#include <string>
#include <string_view>
#include <variant>

namespace gw::config {

inline constexpr int max_depth = 32;                ///< of lists and mappings in each other
inline constexpr std::size_t max_nodes = 2'000'000; ///< values in one file

/// What makes a text unreadable as YAML, and where.
struct Mistake {
    Place place;
    std::string what;
};

/// Reads one YAML document. A text of nothing but comments gives a null node. Keys are plain texts; a key that stands
/// twice stays twice, for the caller to judge.
/// Refused, beside broken YAML: bytes that are not UTF-8, control characters, a second document, anchors, aliases and
/// tags (nothing here needs them, and they hide what a file says), and more than the limits above.
std::variant<Node, Mistake> parse_yaml(std::string_view text, std::uint32_t file = 0);

} // namespace gw::config
