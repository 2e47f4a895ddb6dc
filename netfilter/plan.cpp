#include "netfilter/plan.h"

#include "netfilter/rules.h"

#include <algorithm>

namespace gw::netfilter {
namespace {

void sort_each_once(auto& values)
{
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
}

/// Answers of the upstreams come in over any interface, not only over those where clients are, so every interface gets
/// its rule.
std::vector<PolicyRule> policy_rules_of(const std::vector<Capture>& captures, const std::vector<std::string>& present)
{
    std::vector<std::string> names = present;
    for (const Capture& capture : captures)
        names.insert(names.end(), capture.intercept.interfaces.begin(), capture.intercept.interfaces.end());
    std::vector<PolicyRule> rules;
    for (const bool v6 : {false, true}) {
        const auto of_family = [v6](const Capture& capture) { return captures_family(capture, v6); };
        if (std::none_of(captures.begin(), captures.end(), of_family)) continue;
        for (const std::string& name : names) rules.push_back({name, v6});
    }
    sort_each_once(rules);
    return rules;
}

} // namespace

Plan make_plan(const Settings& settings, std::vector<Capture> captures, std::vector<std::string> present)
{
    sort_each_once(present);
    for (Capture& capture : captures) sort_each_once(capture.intercept.interfaces);
    Plan plan;
    plan.settings = settings;
    plan.policy_rules = policy_rules_of(captures, present);
    plan.captures = std::move(captures);
    plan.interfaces = std::move(present);
    return plan;
}

} // namespace gw::netfilter
