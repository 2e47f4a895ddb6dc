#pragma once

#include "netfilter/policy_route.h"

#include <string>
#include <vector>

namespace gw::netfilter {

/// The policy rules and local routes of plans: what `PolicyRoutes` does for one, for a whole plan.
class Policy {
public:
    /// Errors: `system`.
    static Result<Policy> open();

    /// What `add` added that was not there before.
    struct Added {
        std::vector<PolicyRule> rules;
        bool route_v4 = false;
        bool route_v6 = false;
    };
    /// Adds what is missing, or nothing on error. Errors: `denied`, `system`.
    Result<Added> add(const Plan& plan);
    void undo(const Plan& plan, const Added& added);
    /// Takes away what the old plan has and the new one has not.
    void drop_not_in(const Plan& plan, const Plan& old);
    /// In reverse order. Errors are of the first step that failed; the rest is still tried.
    Result<> remove(const Plan& plan);

    /// Removes what bears our numbers and is not in the plan; null: all of it. Errors: `denied`, `system`.
    Result<> sweep(const Settings& settings, const Plan* plan);
    /// What of the plan is missing in the kernel, one name each. Errors: `system`.
    Result<std::vector<std::string>> missing(const Plan& plan);
    /// The rules that are in the kernel with exactly our numbers and marks, as a plan has them. Errors: `system`.
    Result<std::vector<PolicyRule>> in_kernel(const Settings& settings);

private:
    explicit Policy(PolicyRoutes routes) : routes_(std::move(routes)) {}

    PolicyRoutes routes_;
};

} // namespace gw::netfilter
