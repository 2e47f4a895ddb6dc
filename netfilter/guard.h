#pragma once

#include "netfilter/nft_context.h"
#include "netfilter/plan.h"

namespace gw::netfilter {

/// The guard in the kernel (guard_text.h). It outlives this object and the process on purpose.
class Guard {
public:
    /// `nft` must outlive it, and must not be the context that owns our table.
    explicit Guard(NftContext& nft) : nft_(&nft) {}

    /// Puts up the guard the plan needs, or takes it away when the plan needs none. What is there already as it should
    /// be is not touched; what differs is exchanged without a moment in which less is refused than by the one or the
    /// other. True: something had to be changed. Errors: `denied`, `system`; the guard is then the one or the other.
    Result<bool> hold(const Plan& plan);
    /// What of it is missing in the kernel; empty: all is there. Errors: `system`.
    Result<std::string> missing(const Plan& plan);

private:
    Result<bool> remove(const Settings& settings);
    Result<> exchange(const Plan& plan, std::string_view in_force);

    NftContext* nft_;
};

} // namespace gw::netfilter
