#include "gateway/upstream/balancer.h"

namespace gw::upstream {

std::optional<std::size_t> Balancer::next(const PoolSettings& pool, const std::vector<bool>& tried)
{
    auto& turns = turns_[pool.name];
    if (turns.servers != pool.servers) turns = {pool.servers, std::vector<std::int64_t>(pool.servers.size())};
    // Everyone's claim grows by its weight; who has the greatest is taken and pays for the whole round.
    std::optional<std::size_t> chosen;
    std::int64_t round = 0;
    for (std::size_t at = 0; at < pool.servers.size(); ++at) {
        if (tried[at]) continue;
        turns.due[at] += pool.servers[at].weight;
        round += pool.servers[at].weight;
        if (!chosen || turns.due[at] > turns.due[*chosen]) chosen = at;
    }
    if (chosen) turns.due[*chosen] -= round;
    return chosen;
}

} // namespace gw::upstream
