#include "gateway/upstream/pool.h"

#include <algorithm>
#include <utility>

namespace gw::upstream {

Task<Result<ConnectionPtr>> PoolDialer::dial(Target target, bool fresh)
{
    if (target.pool == nullptr) return direct_.dial(std::move(target), fresh);
    return dial_any(std::move(target), fresh);
}

Task<Result<ConnectionPtr>> PoolDialer::dial_any(Target target, bool fresh)
{
    const auto& pool = *std::exchange(target.pool, nullptr);
    const auto until = std::chrono::steady_clock::now() + limit_;
    std::vector<bool> tried(pool.servers.size());
    Error last{Fault::refused, Side::upstream, "pool " + pool.name + " has no server", {}};
    for (auto left = static_cast<int>(tried.size()); left > 0; --left) {
        const auto server = balancer_.next(pool, tried);
        if (!server) break;
        tried[*server] = true;
        target.endpoint = pool.servers[*server].address;
        const auto now = std::chrono::steady_clock::now();
        const auto share = now + (std::max(until, now) - now) / left;
        auto one = target;
        auto connection = co_await direct_.dial_until(std::move(one), fresh, share);
        if (connection) co_return connection;
        last = connection.error();
    }
    co_return last;
}

} // namespace gw::upstream
