#pragma once

#include "gateway/ctl/json.h"
#include "gateway/ctl/text.h"

#include <string>

namespace gw::ctl {

/// The answer of /v1/status on one screen. Pure.
std::string status_view(const Json& status, const Look& look);

} // namespace gw::ctl
