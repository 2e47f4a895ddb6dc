#pragma once

#include "gateway/base/result.h"
#include "netfilter/plan.h"
#include "netfilter/rtnetlink.h"

#include <cstdint>
#include <string>
#include <vector>

namespace gw::netfilter {

/// A policy rule that is in the kernel and bears our table number, priority and protocol.
struct FoundRule {
    PolicyRule rule;
    std::uint32_t mark = 0;
    std::uint32_t mask = 0;
    friend auto operator<=>(const FoundRule&, const FoundRule&) = default;
};

/// Policy rules and the local routes of our table, over rtnetlink. Adding what is there and deleting what is not there
/// are no errors, so everything can be repeated.
class PolicyRoutes {
public:
    /// Errors: `system`.
    static Result<PolicyRoutes> open();

    /// True: it was not there before. Errors: `denied`, `system`.
    Result<bool> add_rule(const Settings& settings, const PolicyRule& rule);
    Result<bool> add_route(const Settings& settings, bool v6);
    /// Errors: `denied`, `system`.
    Result<> delete_rule(const Settings& settings, const FoundRule& rule);
    Result<> delete_route(const Settings& settings, bool v6);

    /// All rules of ours, of both families. Errors: `system`.
    Result<std::vector<FoundRule>> rules(const Settings& settings);
    Result<bool> has_route(const Settings& settings, bool v6);

private:
    explicit PolicyRoutes(Rtnetlink kernel) : kernel_(std::move(kernel)) {}

    Rtnetlink kernel_;
};

} // namespace gw::netfilter
