#pragma once

#include "gateway/config/settings.h"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gw::config {

/// A configuration as read: the main file first, then what its `include:` names, in order.
struct Source {
    std::string name; ///< as given, for messages
    std::string text;
};
using Sources = std::vector<Source>;

/// Reads the main file and its includes. Files over 16 MiB are refused.
/// Errors: problems, when a file cannot be read or an include fits nothing.
std::variant<Sources, Problems> read_sources(const std::string& main_file);

/// Text to settings, checks across rooms included. Pure: reads no file and asks no kernel. Every problem of every file
/// at once, in order of their position.
std::variant<Settings, Problems> parse(const Sources& sources);

/// The JSON Schema (draft 2020-12) of the file, made from the same description that the parser follows.
std::string json_schema();

/// "gateway.yaml:3:5: listeners[0].prots: unknown key; did you mean \"ports\"?" and the line itself with a caret.
std::string describe(const Problem& problem, const Sources& sources);

} // namespace gw::config
