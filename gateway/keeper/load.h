#pragma once

#include "gateway/config/config.h"

#include <nlohmann/json.hpp>
#include <string>
#include <variant>

namespace gw::keeper {

/// A configuration in force, or about to be.
struct Loaded {
    config::Sources sources;
    config::Settings settings;
};

/// Why a configuration was not taken: for people as a whole, for programs piece by piece.
struct Rejection {
    std::string text;
    nlohmann::ordered_json problems = nlohmann::ordered_json::array();
};

/// Reads and parses a configuration with its includes.
std::variant<Loaded, Rejection> load(const std::string& file);
/// The same as if `text` stood in the file.
std::variant<Loaded, Rejection> load(const std::string& file, std::string text);
/// From what was read before.
std::variant<Loaded, Rejection> load(config::Sources sources);

/// What only a start can change, by name; empty: the change can be made while running.
std::string fixed_changes(const config::Settings& now, const config::Settings& next);

/// What is no mistake, and can hardly be meant: a line of the log each.
void log_warnings(const Loaded& loaded);

} // namespace gw::keeper
