#include "gateway/ctl/explain.h"

#include <array>

namespace gw::ctl {

namespace {

std::string_view key_for(Fit::Answer answer)
{
    switch (answer) {
    case Fit::Answer::yes: return "yes";
    case Fit::Answer::if_own: return "if_own";
    case Fit::Answer::unknown: return "unknown";
    case Fit::Answer::no: return "no";
    }
    return "";
}

Json request_of(const Question& question, const Explanation& explanation)
{
    const auto& packet = question.packet;
    Json request{{"url", question.url.text()}, {"method", question.method}, {"host", explanation.host}};
    request["client"] = packet.client ? Json(packet.client->text()) : Json();
    request["destination"] = packet.destination ? Json(Endpoint{*packet.destination, packet.port}.text()) : Json();
    request["destination_from"] = packet.destination ? Json(question.destination_from) : Json();
    return request;
}

Json listeners_of(const Explanation& explanation, const Configuration& configuration)
{
    auto all = Json::array();
    for (std::size_t i = 0; i < explanation.fits.size(); ++i) {
        const auto& listener = configuration.settings.listeners[i];
        const auto& fit = explanation.fits[i];
        const auto& where = listener.intercept ? listener.intercept->where : listener.where;
        all.push_back({{"name", listener.name},
                       {"kind", listener.intercept ? "intercept" : "bind"},
                       {"where", where.text()},
                       {"takes", key_for(fit.answer)},
                       {"why", fit.why},
                       {"proxy_protocol", listener.proxy_protocol.has_value()},
                       {"provided", fit.provided}});
    }
    return all;
}

Json routes_of(const Explanation& explanation, const Configuration& configuration)
{
    auto all = Json::array();
    for (const auto& tried : explanation.tried) {
        const auto& route = configuration.settings.routes[static_cast<std::size_t>(tried.route)];
        all.push_back({{"index", tried.route},
                       {"where", route.where.text()},
                       {"host", route.host},
                       {"path", route.path},
                       {"method", route.method},
                       {"to", route.to},
                       {"result", name_of(tried.fate)},
                       {"why", tried.why}});
    }
    return all;
}

Json pairs(const std::vector<std::pair<std::string, std::string>>& fields)
{
    auto all = Json::array();
    for (const auto& [name, value] : fields) all.push_back({{"name", name}, {"value", value}});
    return all;
}

Json edits_of(const filters::HeaderEdits& edits)
{
    return {{"remove", edits.remove}, {"set", pairs(edits.set)}, {"add", pairs(edits.add)}};
}

void add_route(const Explanation& explanation, const Configuration& configuration, Json& action)
{
    const auto number = static_cast<std::size_t>(explanation.decision.route);
    const auto& route = configuration.settings.routes[number];
    action["where"] = route.where.text();
    action["timeout_ms"] = route.timeout.count();
    action["max_body_bytes"] = route.max_body_bytes ? Json(*route.max_body_bytes) : Json();
    if (number >= configuration.settings.route_extras.size()) return;
    action["request_headers"] = edits_of(configuration.settings.route_extras[number].request_headers);
    action["response_headers"] = edits_of(configuration.settings.route_extras[number].response_headers);
}

Json pool_json(const upstream::PoolSettings& pool)
{
    auto servers = Json::array();
    for (const auto& server : pool.servers)
        servers.push_back({{"address", server.address.text()}, {"weight", server.weight}});
    constexpr std::array words{"none", "v1", "v2"}; // as SendProxy
    return {{"name", pool.name},
            {"where", pool.where.text()},
            {"balance", "round_robin"},
            {"send_proxy", words[static_cast<std::size_t>(pool.send_proxy)]},
            {"servers", servers}};
}

Json action_of(const Explanation& explanation, const Configuration& configuration)
{
    const auto& decision = explanation.decision;
    Json action{{"name", route::name_of(decision.action)}, {"route", Json()}};
    action["upstream"] = explanation.upstream.empty() ? Json() : Json(explanation.upstream);
    if (decision.status != 0) action["status"] = decision.status;
    if (!decision.text.empty()) action["text"] = decision.text;
    action["pool"] = explanation.pool != nullptr ? pool_json(*explanation.pool) : Json();
    action["refused"] = explanation.refused.empty() ? Json() : Json(explanation.refused);
    if (decision.route < 0) return action;
    action["route"] = decision.route;
    add_route(explanation, configuration, action);
    return action;
}

Json waf_of(const Explanation& explanation, const Configuration& configuration)
{
    if (!explanation.waf_policy) return {{"mode", "off"}, {"why", explanation.waf_why}};
    const auto& policy = configuration.settings.waf.policies[*explanation.waf_policy];
    return {{"mode", name_of(policy.mode)},
            {"why", explanation.waf_why},
            {"paranoia", policy.paranoia},
            {"request_threshold", policy.request_threshold},
            {"response_threshold", policy.response_threshold},
            {"disable_rules", policy.disable_rules}};
}

} // namespace

Json explanation_json(const Question& question, const Explanation& explanation, const Configuration& configuration)
{
    Json whole{{"request", request_of(question, explanation)}};
    whole["listeners"] = listeners_of(explanation, configuration);
    whole["listener"] = Json();
    if (!explanation.listener) return whole;
    whole["listener"] = configuration.settings.listeners[*explanation.listener].name;
    whole["peek"] = {{"speaks", explanation.speaks}, {"why", explanation.peek_why}};
    whole["refused"] = explanation.ends.empty() ? Json() : Json(explanation.ends);
    if (!explanation.ends.empty()) return whole;
    whole["routes"] = routes_of(explanation, configuration);
    whole["action"] = action_of(explanation, configuration);
    whole["header_notes"] = explanation.header_notes;
    whole["waf"] = waf_of(explanation, configuration);
    return whole;
}

} // namespace gw::ctl
