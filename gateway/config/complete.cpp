#include "gateway/config/rules.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace gw::config {

namespace {

template <class T> void sort_once(std::vector<T>& values)
{
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
}

/// `said` laid over `base`. Rules and targets that are switched off add up.
waf::Policy over(waf::Policy base, const PolicyDraft& said)
{
    base.mode = said.mode.value_or(base.mode);
    base.paranoia = said.paranoia.value_or(base.paranoia);
    base.request_threshold = said.request_threshold.value_or(base.request_threshold);
    base.response_threshold = said.response_threshold.value_or(base.response_threshold);
    base.disable_rules.insert(base.disable_rules.end(), said.disable_rules.begin(), said.disable_rules.end());
    sort_once(base.disable_rules);
    for (const auto& [rule, targets] : said.disable_targets) {
        auto& all = base.disable_targets[rule];
        all.insert(all.end(), targets.begin(), targets.end());
        sort_once(all);
    }
    return base;
}

struct PolicyOrder {
    bool operator()(const waf::Policy& a, const waf::Policy& b) const
    {
        const auto key = [](const waf::Policy& p) {
            return std::tie(p.mode, p.paranoia, p.request_threshold, p.response_threshold, p.disable_rules,
                            p.disable_targets);
        };
        return key(a) < key(b);
    }
};

void complete_listeners(Draft& draft)
{
    for (std::size_t at = 0; at < draft.listeners.size(); ++at) {
        auto& listener = draft.settings.listeners[at];
        const auto& notes = draft.listeners[at];
        if (!notes.name) listener.name = "listener-" + std::to_string(at + 1);
        if (listener.takes_datagrams() && listener.protocol == intake::Protocol::automatic)
            listener.protocol = intake::Protocol::udp;
        const bool bound = !listener.intercept;
        if (bound && !notes.client_address) listener.client_address = intake::ClientAddress::gateway;
        if (bound && !notes.otherwise) listener.otherwise = intake::Otherwise::deny;
        if (bound) continue;
        listener.intercept->keeps_address = listener.client_address != intake::ClientAddress::gateway;
        listener.intercept->keeps_port = listener.client_address == intake::ClientAddress::keep_with_port;
    }
}

void complete_policies(Draft& draft)
{
    auto& policies = draft.settings.waf.policies;
    const auto global = over(waf::Policy{}, draft.policy);
    policies.assign(1, global);
    std::map<waf::Policy, std::size_t, PolicyOrder> numbers{{global, 0}};
    for (std::size_t at = 0; at < draft.routes.size(); ++at) {
        auto policy = over(global, draft.routes[at].policy);
        // Nothing is inspected: what else was said makes no difference, and no rule set of its own.
        if (policy.mode == waf::Mode::off) policy = global.mode == waf::Mode::off ? global : waf::Policy{};
        const auto [known, fresh] = numbers.emplace(policy, policies.size());
        if (fresh) policies.push_back(policy);
        draft.settings.route_extras[at].waf_policy = known->second;
    }
}

} // namespace

void complete(Draft& draft)
{
    complete_listeners(draft);
    complete_policies(draft);
    auto& settings = draft.settings;
    settings.upstream.own_mark = settings.netfilter.own_mark;
    settings.upstream.twin_mark = netfilter::twin_mark(settings.netfilter);
    settings.datagram.own_mark = settings.netfilter.own_mark;
    auto& limits = settings.proxy.limits;
    limits.target_bytes = std::min(limits.target_bytes, limits.head_bytes);
}

} // namespace gw::config
