#pragma once

#include <span>
#include <string>
#include <string_view>

namespace gw::route {

/// The candidate that `word` was most likely meant to be; empty: none is near enough.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

/// ", did you mean \"x\"?" or nothing.
std::string suggestion(std::string_view word, std::span<const std::string_view> candidates);

} // namespace gw::route
