#pragma once

#include "gateway/upstream/settings.h"

#include <string>

namespace gw::upstream {

/// One client's PROXY headers, ready to go in front of connections to upstreams that want to know who it is.
struct Introduction {
    std::string v1;
    std::string v2;

    std::string of(SendProxy wanted) const
    {
        return wanted == SendProxy::v1 ? v1 : wanted == SendProxy::v2 ? v2 : std::string{};
    }
};

} // namespace gw::upstream
