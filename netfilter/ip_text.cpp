#include "netfilter/plan.h"

#include <algorithm>
#include <cstdio>

namespace gw::netfilter {
namespace {

std::string short_hex(std::uint32_t number)
{
    char text[11];
    std::snprintf(text, sizeof text, "0x%x", number);
    return text;
}

} // namespace

std::string ip_text(const Plan& plan)
{
    const Settings& settings = plan.settings;
    const std::string table = " table " + std::to_string(settings.route_table);
    const std::string protocol = " protocol " + std::to_string(settings.route_protocol);
    std::string text;
    for (const bool v6 : {false, true}) {
        const auto of_family = [v6](const PolicyRule& rule) { return rule.v6 == v6; };
        if (std::none_of(plan.policy_rules.begin(), plan.policy_rules.end(), of_family)) continue;
        const std::string ip = v6 ? "ip -6 " : "ip -4 ";
        text += ip + "route replace local default dev lo" + table + protocol + '\n';
        for (const PolicyRule& rule : plan.policy_rules)
            if (rule.v6 == v6)
                text += ip + "rule add fwmark " + short_hex(settings.captured_mark) + '/' +
                        short_hex(settings.mark_mask) + " iif " + rule.interface + " lookup " +
                        std::to_string(settings.route_table) + " priority " + std::to_string(settings.rule_priority) +
                        protocol + '\n';
    }
    return text;
}

} // namespace gw::netfilter
