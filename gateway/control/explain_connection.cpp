#include "gateway/control/explain_connection.h"

#include "gateway/control/log_query.h"
#include "gateway/http/path.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace gw::control {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t requests_told = 10;
constexpr std::size_t near_misses_told = 10;
constexpr std::size_t default_listed = 10'000;
constexpr std::size_t most_listed = 100'000;

std::string text_in(const Json& json, const char* name)
{
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::string hex(std::uint32_t number)
{
    std::array<char, 12> text{};
    std::snprintf(text.data(), text.size(), "0x%08x", number);
    return text.data();
}

std::string_view name_of(netfilter::Mode mode)
{
    switch (mode) {
    case netfilter::Mode::tproxy: return "tproxy";
    case netfilter::Mode::redirect: return "redirect";
    case netfilter::Mode::external: return "external";
    }
    return "tproxy";
}

// --- what caught it

std::string how_recovered(std::string_view recovered)
{
    if (recovered == "bound") return "the client dialled this address of the gateway itself";
    if (recovered == "socket_name") return "TPROXY: the accepted socket carries the address the client dialled";
    if (recovered == "conntrack") return "SO_ORIGINAL_DST: the kernel's connection tracking remembers it";
    if (recovered == "proxy_header") return "the PROXY header of a trusted sender says so";
    if (recovered == "name") return "not at all: others changed it elsewhere, so the name the client asks for decides";
    return "";
}

Json kernel_json(const netfilter::Settings& kernel, bool v6)
{
    const auto mark = hex(kernel.captured_mark) + "/" + hex(kernel.mark_mask);
    const bool iptables = kernel.backend == netfilter::Backend::iptables;
    return {{"table", iptables ? "chains " + kernel.table + "-*" : "inet " + kernel.table},
            {"mark", mark},
            {"policy_rule", std::string{v6 ? "ip -6" : "ip"} + " rule: priority " +
                                std::to_string(kernel.rule_priority) + " fwmark " + mark + " lookup " +
                                std::to_string(kernel.route_table)},
            {"route", "local default dev lo table " + std::to_string(kernel.route_table)},
            {"own_mark", hex(kernel.own_mark) + "/" + hex(kernel.mark_mask)}};
}

Json capture_json(const ConnectionCase& known, const Json& record)
{
    const auto name = text_in(record, "listener");
    const auto destination = Endpoint::parse(text_in(record, "destination"));
    const auto recovered = text_in(record, "recovered");
    Json capture{{"listener", name},
                 {"destination", text_in(record, "destination")},
                 {"recovered", recovered},
                 {"recovered_how", how_recovered(recovered)}};
    const auto* listener = known.generation == nullptr ? nullptr : known.generation->listener(name);
    if (listener == nullptr) return capture;
    capture["where"] = (listener->intercept ? listener->intercept->where : listener->where).text();
    capture["kind"] = listener->intercept ? "intercept" : "bind";
    if (!listener->intercept) return capture;
    capture["mode"] = name_of(listener->intercept->mode);
    if (known.kernel != nullptr && listener->intercept->mode == netfilter::Mode::tproxy)
        capture["kernel"] = kernel_json(*known.kernel, destination && destination->address.is_v6());
    return capture;
}

// --- what was peeked

std::string how_peeked(const Json& record, const intake::ListenerSettings* listener)
{
    const auto protocol = text_in(record, "protocol");
    if (protocol == "unknown") return "nothing was known of it yet";
    if (listener != nullptr && listener->protocol == intake::Protocol::http)
        return "not looked at: the listener has protocol: http";
    if (listener != nullptr && listener->protocol == intake::Protocol::tcp)
        return "not looked at: the listener has protocol: tcp";
    if (protocol == "http1") return "the first bytes are an HTTP/1 request";
    if (protocol == "http2") return "the first bytes are the preface of HTTP/2";
    if (protocol == "tls") return "the first bytes are a TLS ClientHello";
    if (protocol == "server_first") return "the client was silent, and the server spoke first";
    if (protocol == "silent") return "neither side spoke in time";
    return "the first bytes are neither HTTP nor TLS";
}

Json peek_json(const Json& record, const intake::ListenerSettings* listener)
{
    Json peek{{"protocol", text_in(record, "protocol")}, {"why", how_peeked(record, listener)}};
    for (const auto* name : {"server_name", "alpn", "encrypted_client_hello", "dialled_early"})
        if (record.contains(name)) peek[name] = record[name];
    return peek;
}

// --- the route

/// What the routes were asked: by the newest request, or by the name in TLS.
struct Asked {
    std::string host;
    std::string path = "/";
    std::string query;
    std::string method;
    std::string listener;
    bool by_name = false;

    route::Request request() const { return {host, path, query, method, listener}; }
    std::string text() const { return by_name ? "TLS for " + host : method + " " + host + path + query; }
};

std::optional<Asked> asked_of(const ConnectionCase& known, const Json& record)
{
    Asked asked;
    asked.listener = text_in(record, "listener");
    if (text_in(record, "protocol") == "tls") {
        asked.host = text_in(record, "server_name");
        asked.by_name = true;
        return asked;
    }
    if (known.requests.empty()) return std::nullopt;
    const auto request = Json::parse(known.requests.back(), nullptr, false);
    if (request.is_discarded()) return std::nullopt;
    asked.host = text_in(request, "host");
    asked.method = text_in(request, "method");
    auto target = text_in(request, "target");
    if (const auto scheme = target.find("://"); scheme != std::string::npos && !target.starts_with('/')) {
        const auto slash = target.find('/', scheme + 3);
        target = slash == std::string::npos ? "/" : target.substr(slash);
    }
    const auto question = std::min(target.find('?'), target.size());
    std::string scratch;
    const auto path = http::normalise_path(std::string_view{target}.substr(0, question), scratch);
    if (!path) return std::nullopt;
    asked.path = std::string{*path};
    asked.query = target.substr(question);
    return asked;
}

bool fits_by_name(const route::RouteSettings& route)
{
    return (route.path == "/" || route.path == "_") && route.method == "_";
}

/// The host fits (or any would) and something else does not. The words are those of route/reason.cpp.
bool is_near_miss(const route::RouteSettings& route, const std::string& why)
{
    const auto agreed = why.substr(0, std::min(why.find(", but "), why.size()));
    if (agreed == why) return route.host == "_";
    return agreed.find("host ") != std::string::npos || route.host == "_";
}

Json tried_json(const session::Generation& generation, const Asked& asked, int taken)
{
    auto list = Json::array();
    route::Decision ignored;
    const auto& routes = generation.site.routes.routes();
    std::size_t misses = 0;
    for (const auto& trial : generation.site.routes.explain(asked.request(), route::Action::deny, ignored)) {
        const auto& route = routes[static_cast<std::size_t>(trial.route)];
        const bool is_taken = trial.route == taken;
        auto why = trial.why;
        bool near = !is_taken && !trial.taken && is_near_miss(route, why);
        if (asked.by_name && !is_taken && !fits_by_name(route)) {
            near = near || trial.taken;
            why = "path and method cannot be seen in TLS that is passed on";
        }
        if (taken >= 0 && trial.route > taken) break;
        if (!is_taken && (!near || ++misses > near_misses_told)) continue;
        list.push_back({{"index", trial.route},
                        {"where", route.where.text()},
                        {"host", route.host},
                        {"path", route.path},
                        {"method", route.method},
                        {"to", route.to},
                        {"result", is_taken ? "taken" : "near miss"},
                        {"why", why}});
    }
    return list;
}

Json route_json(const ConnectionCase& known, const Json& record)
{
    int taken = record.value("route", -1);
    auto action = text_in(record, "action");
    if (!known.requests.empty()) { // a connection's own action is only "http"
        const auto request = Json::parse(known.requests.back(), nullptr, false);
        if (!request.is_discarded()) {
            taken = request.value("route", -1);
            action = text_in(request, "action");
        }
    }
    Json route{{"index", taken}, {"action", action}};
    if (known.generation == nullptr) {
        route["note"] = "the configuration it was served by is no longer there";
        return route;
    }
    const auto& routes = known.generation->site.routes.routes();
    if (taken >= 0 && static_cast<std::size_t>(taken) < routes.size()) {
        route["where"] = routes[static_cast<std::size_t>(taken)].where.text();
        route["to"] = routes[static_cast<std::size_t>(taken)].to;
    } else if (const auto* listener = known.generation->listener(text_in(record, "listener"))) {
        route["where"] = listener->where.text();
        route["note"] = "no route fits: `default` of the listener decides";
    }
    const auto asked = asked_of(known, record);
    if (!asked) {
        if (text_in(record, "action") != "http") route["note"] = "routes choose by HTTP request or TLS name: not asked";
        return route;
    }
    route["asked"] = asked->text();
    route["tried"] = tried_json(*known.generation, *asked, taken);
    return route;
}

// --- the upstream

std::string why_upstream(const Json& record, const Json& route)
{
    const auto action = text_in(route, "action");
    if (action == "forward_url") return "the route names it: " + text_in(route, "to");
    if (action == "forward_pool")
        return route.value("index", -1) >= 0 ? "a server of the pool that the route names"
                                             : "a server of the pool that the listener's default names";
    if (action == "forward_original" && route.value("index", -1) >= 0) return "the route says: original destination";
    if (action == "forward_original") return "the original destination, by the listener's default";
    if (record.contains("dialled_early")) return "dialled early, as the original destination: the client was silent";
    return "";
}

std::string why_source(const Json& record, const intake::ListenerSettings* listener)
{
    const auto source = text_in(record, "source");
    const auto fallback = text_in(record, "source_fallback");
    if (source == "kept_with_port")
        return "kept: the socket is bound to the client's address and port (IP_TRANSPARENT)";
    const std::string kept =
        "kept: the socket is bound to the client's address (IP_TRANSPARENT); its port is the kernel's choice";
    if (source == "kept") return fallback.empty() ? kept : kept + ", because " + fallback;
    if (!fallback.empty()) return "not kept, though wanted: " + fallback;
    if (listener != nullptr && !listener->intercept) return "not kept: a bind listener dials as the gateway";
    return "not kept: client_address: gateway";
}

/// The conntrack zone that keeps the connection to the upstream apart from the client's own (conntrack_rules.cpp).
std::string zone_of(const Json& record, const intake::ListenerSettings* listener, const netfilter::Settings& kernel)
{
    const auto source = text_in(record, "source");
    if (listener == nullptr || !listener->intercept || source == "gateway") return {};
    const auto zone = std::to_string(kernel.zone);
    const bool twin = source == "kept_with_port" && text_in(record, "recovered") == "socket_name";
    if (twin) return zone + ", both ways: it has the addresses and ports of the client's own connection";
    if (listener->intercept->mode == netfilter::Mode::tproxy) return {};
    return zone + ", for what is sent: its port could be one of the client's";
}

Json upstream_json(const ConnectionCase& known, const Json& record, const Json& route,
                   const intake::ListenerSettings* listener)
{
    if (!record.contains("upstream")) return nullptr;
    Json upstream{{"address", text_in(record, "upstream")},
                  {"why", why_upstream(record, route)},
                  {"source_kept", record.value("source_kept", false)},
                  {"source", text_in(record, "source")},
                  {"source_why", why_source(record, listener)}};
    if (known.kernel != nullptr)
        if (auto zone = zone_of(record, listener, *known.kernel); !zone.empty()) upstream["zone"] = std::move(zone);
    for (const auto* name : {"upstream_connections", "upstream_reuses"})
        if (record.contains(name)) upstream[name] = record[name];
    return upstream;
}

// --- how it went, and ended

std::string why_ended(const std::string& end, const std::string& side)
{
    if (end == "ok") return "both sides ended it as they should";
    const auto who = side == "client" ? "the client" : side == "upstream" ? "the upstream" : "the gateway";
    if (end == "malformed") return std::string{who} + " broke the protocol";
    if (end == "too_large") return std::string{who} + " sent more than is taken";
    if (end == "refused") return std::string{who} + " refused it";
    if (end == "denied") return side == "client" ? "the client wanted what is not allowed" : "it is not allowed";
    if (end == "timed_out")
        return std::string{who} + (side == "gateway" ? " ended it: nothing moved for too long" : " took too long");
    if (end == "closed") return std::string{who} + " broke it off";
    return "a system call failed";
}

Json end_json(const Json& record)
{
    const auto end = text_in(record, "end");
    Json json{{"result", end}, {"at", text_in(record, "time")}};
    if (record.contains("side")) json["side"] = record["side"];
    if (record.contains("what")) json["what"] = record["what"];
    json["why"] = why_ended(end, text_in(record, "side"));
    return json;
}

Json timings_json(const Json& record)
{
    Json timings;
    for (const auto* name : {"peek_ms", "dial_ms", "first_byte_ms", "duration_ms"})
        if (record.contains(name)) timings[name] = record[name];
    return timings;
}

Json requests_json(const ConnectionCase& known)
{
    auto list = Json::array();
    for (const auto& line : known.requests) {
        auto request = Json::parse(line, nullptr, false);
        if (!request.is_discarded()) list.push_back(std::move(request));
    }
    return list;
}

} // namespace

Result<ConnectionName> parse_connection_name(std::string_view text)
{
    const auto plain = decoded(text);
    ConnectionName name;
    if (const auto client = Endpoint::parse(plain)) {
        name.client = *client;
        return name;
    }
    const auto is_of_id = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    };
    if (plain.empty() || plain.size() > 64 || Address::parse(plain) ||
        !std::all_of(plain.begin(), plain.end(), is_of_id))
        return Error{Fault::malformed,
                     Side::client,
                     "not the id of a connection or a request, nor a client's address and port",
                     {}};
    name.id = plain.substr(0, plain.find('-'));
    return name;
}

bool add_from_log(const session::LogWriter::Recent& recent, const ConnectionName& name, ConnectionCase& into)
{
    auto id = name.id;
    if (!into.record.empty()) {
        const auto record = Json::parse(into.record, nullptr, false);
        if (!record.is_discarded()) id = text_in(record, "id");
    }
    const auto& lines = recent.records;
    for (auto line = lines.rbegin(); line != lines.rend() && into.record.empty(); ++line) {
        const auto part = name.client ? "\"client\":\"" + name.client->text() + '"' : "\"id\":\"" + id + '"';
        if (line->find(part) == std::string::npos) continue;
        const auto record = Json::parse(*line, nullptr, false);
        if (record.is_discarded() || text_in(record, "kind") != "connection") continue;
        if (name.client ? text_in(record, "client") != name.client->text() : text_in(record, "id") != id) continue;
        into.record = *line;
        id = text_in(record, "id");
    }
    if (into.record.empty()) return false;
    const auto mine = "\"connection\":\"" + id + '"';
    for (auto line = lines.rbegin(); line != lines.rend() && into.requests.size() < requests_told; ++line)
        if (line->find(mine) != std::string::npos) into.requests.push_back(*line);
    std::reverse(into.requests.begin(), into.requests.end());
    return true;
}

bool was_of(const ConnectionCase& known, std::uint64_t generation)
{
    const auto record = Json::parse(known.record, nullptr, false);
    return !record.is_discarded() && record.value("generation", std::uint64_t{0}) == generation;
}

std::string explanation_of(const ConnectionCase& known)
{
    const auto record = Json::parse(known.record, nullptr, false);
    if (record.is_discarded()) return "{}";
    const auto number = record.value("generation", std::uint64_t{0});
    const auto* listener =
        known.generation == nullptr ? nullptr : known.generation->listener(text_in(record, "listener"));
    const auto route = route_json(known, record);
    Json whole{{"id", text_in(record, "id")},
               {"live", known.live},
               {"state", known.live ? text_in(record, "state") : "ended"},
               {"client", text_in(record, "client")},
               {"configuration",
                {{"generation", number},
                 {"in_force", known.generation_in_force},
                 {"same", number == known.generation_in_force}}},
               {"capture", capture_json(known, record)},
               {"peek", peek_json(record, listener)},
               {"route", route},
               {"upstream", upstream_json(known, record, route, listener)},
               {"traffic",
                {{"requests", record.value("requests", std::uint64_t{0})},
                 {"from_client_bytes", record.value("from_client_bytes", std::uint64_t{0})},
                 {"to_client_bytes", record.value("to_client_bytes", std::uint64_t{0})}}},
               {"timings", timings_json(record)},
               {"requests", requests_json(known)},
               {"end", known.live ? Json() : end_json(record)}};
    return whole.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// --- the list

namespace {

Result<> take(std::string_view name, const std::string& value, session::ConnectionFilter& into)
{
    const auto wrong = [&](const char* what) {
        return Error{Fault::malformed, Side::client, std::string{name} + " is " + what, {}};
    };
    if (name == "limit") {
        const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), into.limit);
        if (failed != std::errc{} || end != value.data() + value.size()) return wrong("not a number");
        into.limit = std::min(into.limit, most_listed);
    } else if (name == "listener") {
        into.listener = value;
    } else if (name == "client") {
        const auto network = Network::parse(value);
        if (!network) return wrong("no address or network");
        into.client = *network;
    } else if (name == "upstream") {
        if (const auto address = Address::parse(value)) {
            into.upstream = *address;
            return {};
        }
        const auto endpoint = Endpoint::parse(value);
        if (!endpoint) return wrong("no address, with or without a port");
        into.upstream = endpoint->address;
        into.upstream_port = endpoint->port;
    } else {
        return Error{Fault::malformed, Side::client, "unknown filter " + std::string{name}, {}};
    }
    return {};
}

} // namespace

Result<session::ConnectionFilter> parse_connection_query(std::string_view query)
{
    session::ConnectionFilter filter;
    filter.limit = default_listed;
    while (!query.empty()) {
        const auto pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(pair.size() + 1, query.size()));
        const auto equals = std::min(pair.find('='), pair.size());
        const auto taken =
            take(pair.substr(0, equals), decoded(pair.substr(std::min(equals + 1, pair.size()))), filter);
        if (!taken) return taken.error();
    }
    return filter;
}

std::string connections_json(const std::vector<session::ConnectionList>& lists)
{
    std::string all;
    std::size_t listed = 0, matching = 0, total = 0;
    for (const auto& list : lists) {
        matching += list.matching;
        total += list.total;
        if (list.json.empty()) continue;
        if (!all.empty()) all += ',';
        all += list.json;
        listed += list.listed;
    }
    return "{\"total\":" + std::to_string(total) + ",\"matching\":" + std::to_string(matching) +
           ",\"listed\":" + std::to_string(listed) + ",\"truncated\":" + (listed < matching ? "true" : "false") +
           ",\"connections\":[" + all + "]}";
}

} // namespace gw::control
