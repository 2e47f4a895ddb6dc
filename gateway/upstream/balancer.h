#pragma once

#include "gateway/upstream/settings.h"

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace gw::upstream {

/// Whose turn it is in each pool, for one worker: round robin by weight, the turns of a heavy server spread over the
/// round. A pool whose servers or weights have changed begins anew.
class Balancer {
public:
    /// The number of the next server among those not `tried` (one flag a server); none: all were.
    std::optional<std::size_t> next(const PoolSettings& pool, const std::vector<bool>& tried);
    /// The pools may be others from now on.
    void clear() { turns_.clear(); }

private:
    struct Turns {
        std::vector<PoolServer> servers;
        std::vector<std::int64_t> due;
    };
    std::unordered_map<std::string, Turns> turns_;
};

} // namespace gw::upstream
