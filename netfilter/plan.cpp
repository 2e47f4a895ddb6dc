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
        const auto of_family = [v6](const Capture& capture) { return needs_route(capture, v6); };
        if (std::none_of(captures.begin(), captures.end(), of_family)) continue;
        for (const std::string& name : names) rules.push_back({name, v6});
    }
    sort_each_once(rules);
    return rules;
}

} // namespace

void leave_out(Plan& plan, const std::function<bool(std::string_view)>& can_name)
{
    const auto is_named = [&](const std::string& name) {
        return std::any_of(plan.captures.begin(), plan.captures.end(), [&](const Capture& capture) {
            const auto& names = capture.intercept.interfaces;
            return std::find(names.begin(), names.end(), name) != names.end();
        });
    };
    for (const std::string& name : plan.interfaces)
        if (!can_name(name) && !is_named(name)) plan.left_out.push_back(name);
    const auto is_out = [&](const std::string& name) {
        return std::find(plan.left_out.begin(), plan.left_out.end(), name) != plan.left_out.end();
    };
    std::erase_if(plan.interfaces, is_out);
    std::erase_if(plan.policy_rules, [&](const PolicyRule& rule) { return is_out(rule.interface); });
}

Plan make_plan(const Settings& settings, std::vector<Capture> captures, std::vector<std::string> present)
{
    sort_each_once(present);
    for (Capture& capture : captures) sort_each_once(capture.intercept.interfaces);
    Plan plan;
    plan.settings = settings;
    plan.policy_rules = policy_rules_of(captures, present);
    for (const Capture& capture : captures) {
        const bool nat = capture.intercept.mode != Mode::tproxy;
        plan.redirects = plan.redirects || capture.intercept.mode == Mode::redirect;
        plan.zones_kept = plan.zones_kept || (nat && capture.intercept.keeps_address);
        plan.zones_twins =
            plan.zones_twins || (capture.intercept.keeps_port && capture.intercept.mode != Mode::redirect &&
                                 capture.intercept.transport == Transport::tcp);
    }
    plan.datagrams = std::any_of(captures.begin(), captures.end(),
                                 [](const Capture& capture) { return capture.intercept.transport == Transport::udp; });
    plan.captures = std::move(captures);
    plan.interfaces = std::move(present);
    leave_out(plan, is_interface_name);
    return plan;
}

void carry_over(Plan& next, const Plan& in_force)
{
    next.redirects = next.redirects || in_force.redirects;
    next.zones_twins = next.zones_twins || in_force.zones_twins;
    next.zones_kept = next.zones_kept || in_force.zones_kept;
    next.datagrams = next.datagrams || in_force.datagrams;
    // Answers to connections made as a client still come in, by whatever interface.
    for (const bool v6 : {false, true}) {
        const auto of_family = [v6](const PolicyRule& rule) { return rule.v6 == v6; };
        if (std::none_of(in_force.policy_rules.begin(), in_force.policy_rules.end(), of_family)) continue;
        if (std::any_of(next.policy_rules.begin(), next.policy_rules.end(), of_family)) continue;
        for (const std::string& name : next.interfaces) next.policy_rules.push_back({name, v6});
    }
    sort_each_once(next.policy_rules);
}

} // namespace gw::netfilter
