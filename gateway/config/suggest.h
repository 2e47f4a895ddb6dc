#pragma once

#include <span>
#include <string>
#include <string_view>

namespace gw::config {

/// The one of `known` that was most likely meant by `text`; empty: none is near. Case and "-" for "_" count for
/// nothing, else a third of the letters may differ (a swap of neighbours is one difference).
std::string_view nearest(std::string_view text, std::span<const std::string_view> known);

/// "; did you mean \"ports\"?", or nothing.
std::string did_you_mean(std::string_view text, std::span<const std::string_view> known);

} // namespace gw::config
