#pragma once

#include "gateway/ctl/json.h"
#include "gateway/ctl/text.h"

#include <string>
#include <string_view>
#include <vector>

namespace gw::ctl {

/// Those lines of the rules in force (the texts of /v1/rules) that belong to a listener and to the family of
/// `destination`.
std::vector<std::string> rules_of_listener(const Json& rules, std::string_view listener, std::string_view destination);

/// The answer of /v1/connections/ID, with `rules` added to its `capture`, as a page for people.
std::string connection_view(const Json& connection, const Look& look);

} // namespace gw::ctl
