#pragma once

#include "gateway/config/config.h"

namespace gw::config {

/// `read_sources` as if `main_text` stood in the main file: what it includes is looked for beside that.
std::variant<Sources, Problems> read_sources(const std::string& main_file, std::string main_text);

} // namespace gw::config
