#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gw::ctl {

/// What became of a text, in the unified format that diff(1) and patch(1) know, without the two lines of names; empty
/// when nothing did. Pure. The shortest there is, unless the texts differ in more than some thousand lines: then what
/// differs is one block.
std::string unified_diff(std::string_view before, std::string_view after, std::size_t context_lines = 3);

} // namespace gw::ctl
