#pragma once

#include "gateway/config/config.h"

#include <string>
#include <vector>

namespace gw::ctl {

/// One thing that two configurations do not share.
struct MeaningChange {
    enum class Kind { added, removed, changed };
    Kind kind = Kind::changed;
    std::string path;  ///< "listeners[web].intercept.ports"; a route by host and path
    std::string from;  ///< as one line of YAML, cut when long; empty when added
    std::string to;    ///< empty when removed
    std::string where; ///< "gateway.yaml:12:5", in the new one, or in the old when removed
};

/// What differs by meaning: not layout, comments, the order of keys or which file it stands in. What has a name is
/// compared with what has the same name. Pure. A file that is no YAML counts as empty.
std::vector<MeaningChange> changes_between(const config::Sources& before, const config::Sources& after);

} // namespace gw::ctl
