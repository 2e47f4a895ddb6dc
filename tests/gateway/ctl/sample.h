#pragma once

#include "gateway/ctl/configuration.h"

#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <string>

namespace gw::ctl::testing {

inline std::string golden_file(const std::string& name)
{
    return std::string(GW_SOURCE_DIR) + "/tests/gateway/ctl/golden/" + name;
}

inline std::string content_of(const std::string& file)
{
    std::ifstream in(file);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

/// Compares with a file beside the tests. GW_UPDATE_GOLDEN=1 writes it instead: then read the difference.
inline void expect_golden(const std::string& text, const std::string& name)
{
    if (std::getenv("GW_UPDATE_GOLDEN")) std::ofstream(golden_file(name)) << text;
    EXPECT_EQ(text, content_of(golden_file(name))) << name;
}

/// What `text` says, as if it stood in a file "gateway.yaml".
inline Configuration configuration(const std::string& text)
{
    const config::Sources sources{{"gateway.yaml", text}};
    auto parsed = config::parse(sources);
    if (const auto* problems = std::get_if<Problems>(&parsed)) {
        for (const auto& problem : *problems) ADD_FAILURE() << config::describe(problem, sources);
        std::abort();
    }
    auto& settings = std::get<config::Settings>(parsed);
    auto built = route::Table::build(settings.routes);
    if (const auto* problems = std::get_if<Problems>(&built)) {
        for (const auto& problem : *problems) ADD_FAILURE() << config::describe(problem, sources);
        std::abort();
    }
    return {std::move(settings), std::move(std::get<route::Table>(built))};
}

} // namespace gw::ctl::testing
