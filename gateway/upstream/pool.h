#pragma once

#include "gateway/upstream/balancer.h"
#include "gateway/upstream/direct.h"

namespace gw::upstream {

/// To one of a pool's servers where the target names a pool, else straight on. A server that cannot be reached is left
/// out for that one connection, and the next is tried; each gets its share of the time to connect. One a worker.
class PoolDialer final : public Dialer {
public:
    PoolDialer(DirectDialer& direct, const Settings& settings) : direct_(direct), limit_(settings.connect_limit) {}

    /// Errors: as for the direct way; of several servers, the last one's.
    Task<Result<ConnectionPtr>> dial(Target target, bool fresh) override;
    void give_back(ConnectionPtr connection) override { direct_.give_back(std::move(connection)); }

    /// Of the next generation.
    void renew(const Settings& settings)
    {
        limit_ = settings.connect_limit;
        balancer_.clear();
    }

private:
    Task<Result<ConnectionPtr>> dial_any(Target target, bool fresh);

    DirectDialer& direct_;
    std::chrono::milliseconds limit_;
    Balancer balancer_;
};

} // namespace gw::upstream
