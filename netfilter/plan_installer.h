#pragma once

#include "netfilter/install.h"
#include "netfilter/policy.h"

#include <optional>

namespace gw::netfilter {

/// What every backend does alike: keeps the plan in force, the policy rules and routes that belong to it, and hands its
/// sockets over. A class derived from this calls `remove` when it is destroyed.
class PlanInstaller : public Installer {
public:
    Result<> remove() final;
    Plan in_force() const final { return in_force_.value_or(Plan{}); }
    Result<Handover> hand_over() final;
    void release() final { in_force_.reset(); }

protected:
    /// `state` is what a handover says of these rules, and what `adopt` wants to read.
    PlanInstaller(const Settings& settings, std::string state, Policy policy)
        : settings_(settings), policy_(std::move(policy)), state_(std::move(state))
    {}

    /// Takes the rules of this plan, which is no longer in force, out of the kernel.
    virtual Result<> take_out(const Plan& plan) = 0;
    /// What a successor needs to own the rules, in the order in which it is handed over.
    virtual std::vector<int> sockets() const = 0;

    /// Of those there are; one that cannot be copied is left out.
    static std::vector<Heartbeat> copies_of(std::initializer_list<const Heartbeat*> heartbeats);

    Settings settings_;
    Policy policy_;
    std::optional<Plan> in_force_;
    bool learned_ = false; ///< in_force_ is what a predecessor left; its captures are not known

private:
    std::string state_;
};

/// Errors: `refused` when it is of other rules than `state` says, or has fewer or more sockets.
Result<> check_handover(const Handover& handover, const std::string& state, std::size_t fewest, std::size_t most);

} // namespace gw::netfilter
