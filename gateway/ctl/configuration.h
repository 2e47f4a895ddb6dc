#pragma once

#include "gateway/config/config.h"
#include "gateway/route/table.h"

#include <string>
#include <variant>

namespace gw::ctl {

/// A file that could be put in force.
struct Configuration {
    config::Settings settings;
    route::Table routes;
    config::Sources sources{};
};

/// What stands in the way of that.
struct Rejected {
    config::Sources sources; ///< for excerpts; empty when the files could not be read
    Problems problems;
};

inline constexpr const char* default_file = "/etc/gateway/gateway.yaml";
inline std::string file_or_default(const std::string& file) { return file.empty() ? default_file : file; }

/// Reads and checks a file and what it includes as gatewayd does, asking neither it nor the kernel.
std::variant<Configuration, Rejected> load(const std::string& file);

/// Every problem with its line and a caret.
std::string problems_text(const Rejected& rejected);

} // namespace gw::ctl
