#pragma once

#include "netfilter/doctor/doctor.h"

#include <nlohmann/json.hpp>

namespace gw::doctor {

/// `id`, `severity`, `found`, `evidence`, `breaks`, `mend`: stable, all texts.
nlohmann::ordered_json to_json(const Finding& finding);
/// None when a member is missing or of another type, or the severity is no known one.
std::optional<Finding> finding_of(const nlohmann::ordered_json& json);

} // namespace gw::doctor
