#pragma once

#include "gateway/config/config.h"
#include "tests/gateway/config/as_yaml.h"

#include <gtest/gtest.h>
#include <string>

namespace gw::config::testing {

inline Sources one(std::string text) { return {{"gateway.yaml", std::move(text)}}; }

/// The problems, one a line, as "3:5 listeners[0].prots: unknown key ...".
inline std::string told(const Problems& problems)
{
    std::string all;
    for (const auto& problem : problems)
        all += std::to_string(problem.where.line) + ":" + std::to_string(problem.where.column) + " " + problem.path +
               ": " + problem.what + "\n";
    return all;
}

/// Nothing, when the file is right.
inline std::string wrong_with(const Sources& sources)
{
    const auto answer = parse(sources);
    return std::holds_alternative<Problems>(answer) ? told(std::get<Problems>(answer)) : "";
}
inline std::string wrong_with(std::string text) { return wrong_with(one(std::move(text))); }

/// The settings of a file that must be right.
inline Settings settings_of(const Sources& sources)
{
    auto answer = parse(sources);
    if (const auto* problems = std::get_if<Problems>(&answer)) {
        ADD_FAILURE() << told(*problems);
        return {};
    }
    return std::move(std::get<Settings>(answer));
}
inline Settings settings_of(std::string text) { return settings_of(one(std::move(text))); }

} // namespace gw::config::testing
