#include "gateway/control/answers.h"

#include "gateway/base/endpoint.h"
#include "gateway/session/introduced.h"

#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>

namespace gw::control {

namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string_view name_of(waf::Mode mode)
{
    switch (mode) {
    case waf::Mode::off: return "off";
    case waf::Mode::detect: return "detect";
    case waf::Mode::block: return "block";
    }
    return "off";
}

std::string_view name_of(netfilter::WhenDown when_down)
{
    switch (when_down) {
    case netfilter::WhenDown::pass: return "pass";
    case netfilter::WhenDown::reject: return "reject";
    case netfilter::WhenDown::drop: break;
    }
    return "drop";
}

std::string_view name_of(intake::Protocol protocol)
{
    switch (protocol) {
    case intake::Protocol::automatic: return "auto";
    case intake::Protocol::http: return "http";
    case intake::Protocol::tls: return "tls";
    case intake::Protocol::tcp: return "tcp";
    case intake::Protocol::udp: return "udp";
    }
    return "auto";
}

/// Only the reasons there were.
Json turned_away_json(const session::ListenerCounters& counts)
{
    auto json = Json::object();
    for (std::size_t i = 0; i < counts.turned_away.size(); ++i)
        if (counts.turned_away[i] != 0)
            json[std::string{name_of(static_cast<session::TurnedAway>(i))}] = counts.turned_away[i];
    return json;
}

Json listener_json(const intake::ListenerSettings& listener, const session::Counters& counters)
{
    auto addresses = Json::array();
    if (listener.intercept) {
        for (const auto& network : listener.intercept->to) {
            for (const auto& range : listener.intercept->ports) {
                auto ports = std::to_string(range.first);
                if (range.last != range.first) ports += "-" + std::to_string(range.last);
                addresses.push_back(network.text() + " port " + ports);
            }
        }
    }
    for (const auto& endpoint : listener.bind) addresses.push_back(endpoint.text());
    auto trusted = Json::array();
    if (listener.proxy_protocol)
        for (const auto& network : listener.proxy_protocol->trusted) trusted.push_back(network.text());
    const auto found = counters.listeners.find(listener.name);
    const auto counts = found == counters.listeners.end() ? session::ListenerCounters{} : found->second;
    Json json{{"name", listener.name},
              {"kind", listener.intercept ? "intercept" : "bind"},
              {"where", listener.where.text()},
              {"protocol", name_of(listener.protocol)},
              {"transport", listener.takes_datagrams() ? "udp" : "tcp"},
              {"addresses", addresses},
              {"when_down", listener.intercept ? name_of(listener.intercept->when_down) : std::string_view{}},
              {"proxy_protocol", listener.proxy_protocol ? Json{{"trusted", trusted}} : Json()},
              {"connections_total", counts.connections},
              {"connections_active", counts.active},
              {"source_fallbacks", counts.source_fallbacks},
              {"turned_away", turned_away_json(counts)},
              {"limits", {{"connections", listener.max_connections}, {"per_client", listener.max_per_client}}}};
    return json;
}

Json faults_json(const session::Counters& counters)
{
    auto list = Json::array();
    for (std::size_t side = 0; side < counters.faults.size(); ++side)
        for (std::size_t fault = 0; fault < counters.faults[side].size(); ++fault)
            if (counters.faults[side][fault] > 0)
                list.push_back({{"side", gw::name_of(static_cast<Side>(side))},
                                {"fault", gw::name_of(static_cast<Fault>(fault))},
                                {"count", counters.faults[side][fault]}});
    return list;
}

Json datagrams_json(const datagram::Counters& counters)
{
    Json drops = Json::object();
    for (std::size_t i = 0; i < counters.drops.size(); ++i)
        drops[datagram::name_of(static_cast<datagram::Drop>(i))] = counters.drops[i];
    return {{"flows", counters.flows},
            {"flows_active", counters.active},
            {"flows_waiting", counters.waiting},
            {"flows_evicted", counters.evicted},
            {"flows_unanswered", counters.unanswered},
            {"flows_refused", counters.refused},
            {"datagrams_from_clients", counters.traffic.datagrams_from_client},
            {"datagrams_to_clients", counters.traffic.datagrams_to_client},
            {"bytes_from_clients", counters.traffic.from_client_bytes},
            {"bytes_to_clients", counters.traffic.to_client_bytes},
            {"told_unreachable", counters.told_unreachable},
            {"reply_sockets", counters.reply_sockets},
            {"dropped", drops}};
}

} // namespace

std::string status_json(const Snapshot& snapshot)
{
    const auto& counters = snapshot.counters;
    const auto& generation = *snapshot.generation;
    auto listeners = Json::array();
    for (const auto& listener : generation.listeners) listeners.push_back(listener_json(listener, counters));
    Json responses;
    for (std::size_t i = 0; i < counters.responses.size(); ++i)
        responses[std::to_string(i + 1) + "xx"] = counters.responses[i];
    Json problems = snapshot.problems;
    if (snapshot.workers_silent > 0)
        problems.push_back(std::to_string(snapshot.workers_silent) + " of " + std::to_string(snapshot.workers) +
                           " workers do not answer");
    if (snapshot.log_dropped > 0)
        problems.push_back(std::to_string(snapshot.log_dropped) +
                           " batches of log lines were dropped: the log is too slow");
    Json waf{{"mode", name_of(generation.site.waf.policies.front().mode)}};
    if (snapshot.waf_running)
        waf.update({{"rules", snapshot.waf.rules},
                    {"inspectors", snapshot.waf.inspectors},
                    {"restarts", snapshot.waf.restarts},
                    {"inspected", snapshot.waf.inspected},
                    {"blocked", counters.waf_blocked},
                    {"detected", counters.waf_detected},
                    {"failed", counters.waf_failed}});
    return dump({{"generation", generation.number},
                 {"workers", snapshot.workers},
                 {"problems", problems},
                 {"listeners", listeners},
                 {"totals",
                  {{"connections", counters.connections},
                   {"connections_active", counters.active},
                   {"turned_away", counters.turned_away},
                   {"requests", counters.requests},
                   {"requests_per_second", snapshot.requests_per_second},
                   {"bytes_from_clients", counters.from_client_bytes},
                   {"bytes_to_clients", counters.to_client_bytes},
                   {"upstream_connections", counters.upstream_connections},
                   {"upstream_reuses", counters.upstream_reuses},
                   {"upstream_taken_over", counters.upstream_taken_over}}},
                 {"udp", datagrams_json(counters.datagrams)},
                 {"limits",
                  {{"connections", snapshot.connections_limit},
                   {"per_client", generation.session.per_client},
                   {"memory_bytes", snapshot.memory_budget_bytes},
                   {"memory_used_bytes", snapshot.memory_bytes},
                   {"bodies_refused", snapshot.bodies_refused},
                   {"shed", counters.shed}}},
                 {"responses", responses},
                 {"faults", faults_json(counters)},
                 {"latency",
                  {{"p50_ms", counters.request_durations.quantile_seconds(0.5) * 1000},
                   {"p99_ms", counters.request_durations.quantile_seconds(0.99) * 1000},
                   {"added_p50_ms", counters.added_durations.quantile_seconds(0.5) * 1000},
                   {"added_p99_ms", counters.added_durations.quantile_seconds(0.99) * 1000}}},
                 {"waf", waf}});
}

std::string routes_json(const Snapshot& snapshot)
{
    auto list = Json::array();
    const auto& site = snapshot.generation->site;
    const auto& routes = site.routes.routes();
    for (std::size_t i = 0; i < routes.size(); ++i) {
        const auto& route = routes[i];
        const auto counts =
            i < snapshot.counters.routes.size() ? snapshot.counters.routes[i] : session::RouteCounters{};
        list.push_back({{"index", i},
                        {"where", route.where.text()},
                        {"host", route.host},
                        {"path", route.path},
                        {"method", route.method},
                        {"listeners", route.listeners},
                        {"to", route.to},
                        {"waf", name_of(site.waf.policies[site.plans[i].waf_policy].mode)},
                        {"hits", counts.hits},
                        {"last_hit", counts.last_hit_epoch_seconds}});
    }
    return dump({{"routes", list}});
}

// --- metrics

namespace {

class Exposition {
public:
    std::string text;

    void family(std::string_view name, std::string_view type, std::string_view help)
    {
        text.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name);
        text.append(" ").append(type).append("\n");
    }
    /// `labels`: `listener="web"` and so on, values escaped with `label`.
    template <class Number> void sample(std::string_view name, std::string_view labels, Number value)
    {
        text.append(name);
        if (!labels.empty()) text.append("{").append(labels).append("}");
        std::array<char, 40> digits;
        const auto done = std::to_chars(digits.data(), digits.data() + digits.size(), value);
        text.append(" ").append(digits.data(), done.ptr).append("\n");
    }
    template <class Number>
    void single(std::string_view name, std::string_view type, std::string_view help, Number value)
    {
        family(name, type, help);
        sample(name, {}, value);
    }
    static std::string label(std::string_view name, std::string_view value)
    {
        std::string text{name};
        text += "=\"";
        for (const char c : value) {
            if (c == '\\' || c == '"') text += '\\';
            if (c == '\n')
                text += "\\n";
            else
                text += c;
        }
        return text + '"';
    }
    void histogram(std::string_view name, std::string_view help, const session::Durations& durations)
    {
        family(name, "histogram", help);
        const auto bucket = std::string{name} + "_bucket";
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i + 1 < session::Durations::bucket_count; ++i) {
            sum += durations.buckets[i];
            std::array<char, 40> digits;
            const auto done =
                std::to_chars(digits.data(), digits.data() + digits.size(), session::Durations::bound_seconds(i));
            sample(bucket, label("le", {digits.data(), static_cast<std::size_t>(done.ptr - digits.data())}), sum);
        }
        sample(bucket, label("le", "+Inf"), durations.count);
        sample(std::string{name} + "_sum", {}, durations.sum_seconds);
        sample(std::string{name} + "_count", {}, durations.count);
    }
};

void add_traffic(Exposition& out, const session::Counters& counters)
{
    out.family("gateway_connections_total", "counter", "Connections accepted, by listener.");
    for (const auto& [name, counts] : counters.listeners)
        out.sample("gateway_connections_total", Exposition::label("listener", name), counts.connections);
    out.family("gateway_connections_active", "gauge", "Connections under way, by listener.");
    for (const auto& [name, counts] : counters.listeners)
        out.sample("gateway_connections_active", Exposition::label("listener", name), counts.active);
    out.family("gateway_source_fallbacks_total", "counter",
               "Upstream connections without the client's address or port that the listener asks for.");
    for (const auto& [name, counts] : counters.listeners)
        out.sample("gateway_source_fallbacks_total", Exposition::label("listener", name), counts.source_fallbacks);
    out.family("gateway_connections_turned_away_total", "counter", "Connections reset at once: a limit was reached.");
    for (const auto& [name, counts] : counters.listeners)
        for (std::size_t i = 0; i < counts.turned_away.size(); ++i)
            out.sample("gateway_connections_turned_away_total",
                       Exposition::label("listener", name) + "," +
                           Exposition::label("reason", name_of(static_cast<session::TurnedAway>(i))),
                       counts.turned_away[i]);
    out.family("gateway_proxy_headers_total", "counter",
               "Connections that had to begin with a PROXY header and have ended, by what became of it.");
    for (std::size_t i = 0; i < counters.proxy_headers.size(); ++i)
        out.sample("gateway_proxy_headers_total", Exposition::label("result", session::header_fates[i]),
                   counters.proxy_headers[i]);
    out.family("gateway_accept_failures_total", "counter", "Failures of accept, by error.");
    for (const auto& [error, count] : counters.accept_failures) {
        const auto* name = ::strerrorname_np(error);
        out.sample("gateway_accept_failures_total", Exposition::label("error", name != nullptr ? name : "?"), count);
    }
    out.single("gateway_connections_shed_total", "counter", "Connections ended because memory was short.",
               counters.shed);
    out.single("gateway_requests_total", "counter", "HTTP requests.", counters.requests);
    out.family("gateway_responses_total", "counter", "HTTP responses sent to clients, by class of status.");
    for (std::size_t i = 0; i < counters.responses.size(); ++i)
        out.sample("gateway_responses_total", Exposition::label("class", std::to_string(i + 1) + "xx"),
                   counters.responses[i]);
    out.single("gateway_received_bytes_total", "counter", "Bytes from clients of ended connections.",
               counters.from_client_bytes);
    out.single("gateway_sent_bytes_total", "counter", "Bytes to clients of ended connections.",
               counters.to_client_bytes);
    out.single("gateway_upstream_connections_total", "counter", "Requests sent over a new upstream connection.",
               counters.upstream_connections);
    out.single("gateway_upstream_reuses_total", "counter", "Requests sent over an upstream connection used before.",
               counters.upstream_reuses);
    out.single("gateway_connections_rested_total", "counter",
               "Times that a client's connection had waited for a second, and what it held was put away.",
               counters.rested);
    out.single("gateway_upstream_taken_over_total", "counter",
               "Idle upstream connections that a worker used because another one had kept them.",
               counters.upstream_taken_over);
    out.family("gateway_faults_total", "counter", "Connections that ended in a failure, by side and fault.");
    for (std::size_t side = 0; side < counters.faults.size(); ++side)
        for (std::size_t fault = 0; fault < counters.faults[side].size(); ++fault)
            out.sample("gateway_faults_total",
                       Exposition::label("side", gw::name_of(static_cast<Side>(side))) + "," +
                           Exposition::label("fault", gw::name_of(static_cast<Fault>(fault))),
                       counters.faults[side][fault]);
    out.histogram("gateway_request_duration_seconds", "From a request's head to the end of its response.",
                  counters.request_durations);
    out.histogram("gateway_added_duration_seconds", "The same without the wait for the upstream's answer.",
                  counters.added_durations);
}

void add_datagrams(Exposition& out, const datagram::Counters& counters)
{
    out.single("gateway_udp_flows_total", "counter", "Flows of UDP.", counters.flows);
    out.single("gateway_udp_flows_active", "gauge", "Flows of UDP under way.", counters.active);
    out.family("gateway_udp_flows_ended_total", "counter", "Flows of UDP that ended in a way worth a look.");
    out.sample("gateway_udp_flows_ended_total", Exposition::label("how", "evicted"), counters.evicted);
    out.sample("gateway_udp_flows_ended_total", Exposition::label("how", "unanswered"), counters.unanswered);
    out.sample("gateway_udp_flows_ended_total", Exposition::label("how", "refused"), counters.refused);
    const auto both = [&](std::string_view name, std::string_view help, std::uint64_t from, std::uint64_t to) {
        out.family(name, "counter", help);
        out.sample(name, Exposition::label("direction", "from_clients"), from);
        out.sample(name, Exposition::label("direction", "to_clients"), to);
    };
    both("gateway_udp_datagrams_total", "Datagrams passed on.", counters.traffic.datagrams_from_client,
         counters.traffic.datagrams_to_client);
    both("gateway_udp_bytes_total", "Bytes of them.", counters.traffic.from_client_bytes,
         counters.traffic.to_client_bytes);
    out.family("gateway_udp_dropped_total", "counter", "Datagrams that went nowhere, by reason.");
    for (std::size_t i = 0; i < counters.drops.size(); ++i)
        out.sample("gateway_udp_dropped_total",
                   Exposition::label("reason", datagram::name_of(static_cast<datagram::Drop>(i))), counters.drops[i]);
    out.single("gateway_udp_unreachable_told_total", "counter", "ICMP messages sent to clients.",
               counters.told_unreachable);
}

} // namespace

std::string metrics_text(const Snapshot& snapshot)
{
    Exposition out;
    const auto& counters = snapshot.counters;
    out.single("gateway_config_generation", "gauge", "Number of the configuration in force.",
               snapshot.generation->number);
    out.single("gateway_connections_limit", "gauge", "The most connections at once.", snapshot.connections_limit);
    out.single("gateway_bodies_refused_total", "counter",
               "Bodies that could not be held for inspection because memory was short.", snapshot.bodies_refused);
    out.single("gateway_memory_budget_bytes", "gauge", "limits.memory, or the control group's share; 0: none.",
               snapshot.memory_budget_bytes);
    out.single("gateway_workers", "gauge", "Worker threads.", snapshot.workers);
    add_traffic(out, counters);
    add_datagrams(out, counters.datagrams);
    out.family("gateway_route_hits_total", "counter", "Requests and connections that took a route of this generation.");
    for (std::size_t i = 0; i < counters.routes.size(); ++i)
        out.sample("gateway_route_hits_total", Exposition::label("route", std::to_string(i)), counters.routes[i].hits);
    out.family("gateway_waf_verdicts_total", "counter", "Inspected requests, by what came of it.");
    out.sample("gateway_waf_verdicts_total", Exposition::label("verdict", "pass"), counters.waf_pass);
    out.sample("gateway_waf_verdicts_total", Exposition::label("verdict", "detected"), counters.waf_detected);
    out.sample("gateway_waf_verdicts_total", Exposition::label("verdict", "block"), counters.waf_blocked);
    out.sample("gateway_waf_verdicts_total", Exposition::label("verdict", "failed"), counters.waf_failed);
    out.single("gateway_waf_inspectors", "gauge", "Inspector processes.", snapshot.waf.inspectors);
    out.single("gateway_waf_inspector_restarts_total", "counter", "Inspectors replaced after a crash or a hang.",
               snapshot.waf.restarts);
    out.single("gateway_log_dropped_total", "counter", "Batches of log lines dropped.", snapshot.log_dropped);
    out.family("gateway_log_suppressed_total", "counter",
               "Records of what came to nothing that were left out of the access log, by kind.");
    for (std::size_t i = 0; i < session::record_kinds.size(); ++i)
        out.sample("gateway_log_suppressed_total", Exposition::label("kind", session::record_kinds[i]),
                   counters.suppressed_records[i]);
    return std::move(out.text);
}

// --- log

namespace {

bool status_fits(const std::string& wanted, int status)
{
    const auto text = std::to_string(status);
    if (wanted.size() != text.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (wanted[i] != 'x' && wanted[i] != text[i]) return false;
    return true;
}

bool fits(const Json& record, const LogQuery& query)
{
    const auto text = [&](const char* name) { return record.value(name, std::string{}); };
    if (!query.kind.empty() && text("kind") != query.kind) return false;
    // What is looked for may be among the suppressed. No rule of the WAF had matched in those.
    if (text("kind") == "suppressed") return query.verdict.empty() || query.verdict == "pass";
    if (!query.status.empty() && !status_fits(query.status, record.value("status", 0))) return false;
    if (!query.host.empty() && text("host") != query.host && text("server_name") != query.host) return false;
    if (!query.route.empty() && std::to_string(record.value("route", -1)) != query.route) return false;
    if (!query.client.empty()) {
        const auto network = Network::parse(query.client);
        const auto client = Endpoint::parse(text("client"));
        if (!network || !client || !network->contains(client->address)) return false;
    }
    if (!query.verdict.empty()) {
        const auto waf = record.find("waf");
        if (waf == record.end() || waf->value("verdict", std::string{}) != query.verdict) return false;
    }
    return true;
}

} // namespace

std::string log_json(const session::LogWriter::Recent& recent, const LogQuery& query)
{
    const bool all = query.kind.empty() && query.status.empty() && query.client.empty() && query.host.empty() &&
                     query.route.empty() && query.verdict.empty();
    std::vector<std::string_view> chosen;
    for (const auto& line : recent.records) {
        const auto record = all ? Json{} : Json::parse(line, nullptr, false);
        if (all || (!record.is_discarded() && fits(record, query))) chosen.push_back(line);
    }
    if (chosen.size() > query.limit)
        chosen.erase(chosen.begin(), chosen.end() - static_cast<std::ptrdiff_t>(query.limit));
    std::string json = "{\"next\":" + std::to_string(recent.next) + ",\"dropped\":" + std::to_string(recent.dropped) +
                       ",\"records\":[";
    for (const auto& line : chosen) {
        if (json.back() != '[') json += ',';
        json += line;
    }
    return json + "]}";
}

} // namespace gw::control
