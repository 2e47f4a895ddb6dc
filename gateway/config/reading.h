#pragma once

#include "gateway/config/config.h"
#include "gateway/config/report.h"

#include <variant>
#include <vector>

namespace gw::config {

/// As `parse`, with more said of each problem. The schema's test asks for that.
std::variant<Settings, std::vector<Finding>> read_settings(const Sources& sources);

} // namespace gw::config
