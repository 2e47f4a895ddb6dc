#include "netfilter/policy.h"

#include <algorithm>

namespace gw::netfilter {
namespace {

bool has_family(const Plan& plan, bool v6)
{
    return std::any_of(plan.policy_rules.begin(), plan.policy_rules.end(),
                       [v6](const PolicyRule& rule) { return rule.v6 == v6; });
}

FoundRule rule_in_kernel(const Settings& settings, const PolicyRule& rule)
{
    return {rule, settings.captured_mark, settings.mark_mask};
}

bool same_numbers(const Settings& a, const Settings& b)
{
    return a.mark_mask == b.mark_mask && a.captured_mark == b.captured_mark && a.route_table == b.route_table &&
           a.rule_priority == b.rule_priority && a.route_protocol == b.route_protocol;
}

const char* family_name(bool v6) { return v6 ? "IPv6" : "IPv4"; }

} // namespace

Result<Policy> Policy::open()
{
    auto routes = PolicyRoutes::open();
    if (!routes) return routes.error();
    return Policy(std::move(*routes));
}

/// Routes first: a rule that leads to an empty table is passed over, so no packet is harmed in between.
Result<Policy::Added> Policy::add(const Plan& plan)
{
    Added added;
    if (const auto lacks = missing(plan); lacks && lacks->empty()) return added;
    for (const bool v6 : {false, true}) {
        if (!has_family(plan, v6)) continue;
        const auto is_new = routes_.add_route(plan.settings, v6);
        if (!is_new) return undo(plan, added), is_new.error();
        (v6 ? added.route_v6 : added.route_v4) = *is_new;
    }
    for (const PolicyRule& rule : plan.policy_rules) {
        const auto is_new = routes_.add_rule(plan.settings, rule);
        if (!is_new) return undo(plan, added), is_new.error();
        if (*is_new) added.rules.push_back(rule);
    }
    return added;
}

void Policy::undo(const Plan& plan, const Added& added)
{
    for (const PolicyRule& rule : added.rules)
        static_cast<void>(routes_.delete_rule(plan.settings, rule_in_kernel(plan.settings, rule)));
    if (added.route_v4) static_cast<void>(routes_.delete_route(plan.settings, false));
    if (added.route_v6) static_cast<void>(routes_.delete_route(plan.settings, true));
}

void Policy::drop_not_in(const Plan& plan, const Plan& old)
{
    const bool same = same_numbers(old.settings, plan.settings);
    for (const PolicyRule& rule : old.policy_rules)
        if (!same || !std::binary_search(plan.policy_rules.begin(), plan.policy_rules.end(), rule))
            static_cast<void>(routes_.delete_rule(old.settings, rule_in_kernel(old.settings, rule)));
    for (const bool v6 : {false, true})
        if (has_family(old, v6) && !(old.settings.route_table == plan.settings.route_table && has_family(plan, v6)))
            static_cast<void>(routes_.delete_route(old.settings, v6));
}

Result<> Policy::remove(const Plan& plan)
{
    Result<> first;
    const auto note = [&first](const Result<>& step) {
        if (first && !step) first = step;
    };
    for (auto rule = plan.policy_rules.rbegin(); rule != plan.policy_rules.rend(); ++rule)
        note(routes_.delete_rule(plan.settings, rule_in_kernel(plan.settings, *rule)));
    for (const bool v6 : {true, false})
        if (has_family(plan, v6)) note(routes_.delete_route(plan.settings, v6));
    return first;
}

Result<> Policy::sweep(const Settings& settings, const Plan* plan)
{
    const auto found = routes_.rules(settings);
    if (!found) return found.error();
    for (const FoundRule& rule : *found) {
        const bool wanted = plan != nullptr && rule == rule_in_kernel(plan->settings, rule.rule) &&
                            std::binary_search(plan->policy_rules.begin(), plan->policy_rules.end(), rule.rule);
        if (wanted) continue;
        if (auto deleted = routes_.delete_rule(settings, rule); !deleted) return deleted;
    }
    for (const bool v6 : {false, true}) {
        if (plan != nullptr && has_family(*plan, v6)) continue;
        if (auto deleted = routes_.delete_route(settings, v6); !deleted) return deleted;
    }
    return {};
}

Result<std::vector<std::string>> Policy::missing(const Plan& plan)
{
    std::vector<std::string> names;
    const auto found = routes_.rules(plan.settings);
    if (!found) return found.error();
    for (const PolicyRule& rule : plan.policy_rules)
        if (std::find(found->begin(), found->end(), rule_in_kernel(plan.settings, rule)) == found->end())
            names.push_back(std::string(family_name(rule.v6)) + " policy rule from " + rule.interface);
    for (const bool v6 : {false, true}) {
        if (!has_family(plan, v6)) continue;
        const auto there = routes_.has_route(plan.settings, v6);
        if (!there) return there.error();
        if (!*there) names.push_back(std::string(family_name(v6)) + " local route");
    }
    return names;
}

Result<std::vector<PolicyRule>> Policy::in_kernel(const Settings& settings)
{
    const auto found = routes_.rules(settings);
    if (!found) return found.error();
    std::vector<PolicyRule> rules;
    for (const FoundRule& rule : *found)
        if (rule == rule_in_kernel(settings, rule.rule)) rules.push_back(rule.rule);
    std::sort(rules.begin(), rules.end());
    return rules;
}

} // namespace gw::netfilter
