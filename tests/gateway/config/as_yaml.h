#pragma once

#include "gateway/base/log.h"
#include "gateway/config/config.h"

#include <string>

namespace gw::config::testing {

/// Settings written as a file that says everything. Parsing it gives the same settings again, positions apart; so two
/// settings are equal when their texts are.
class YamlWriter {
public:
    std::string write(const Settings& settings)
    {
        line("workers: " + std::to_string(settings.control.workers));
        write_listeners(settings);
        write_routes(settings);
        write_pools(settings);
        write_waf(settings.waf);
        write_host(settings);
        write_times(settings);
        write_kernel(settings);
        return std::move(text_);
    }

private:
    void line(const std::string& text) { text_ += text + "\n"; }
    static std::string time(std::chrono::milliseconds value) { return std::to_string(value.count()) + "ms"; }
    static std::string quote(const std::string& value)
    {
        std::string out = "\"";
        for (const char c : value) {
            if (c == '"' || c == '\\') out += '\\';
            if (c == '\t')
                out += "\\t";
            else
                out += c;
        }
        return out + "\"";
    }
    template <class List, class Text> static std::string joined(const List& list, Text text)
    {
        std::string out;
        for (const auto& entry : list) out += (out.empty() ? "" : ", ") + text(entry);
        return "[" + out + "]";
    }
    template <class List> static std::string texts(const List& list)
    {
        return joined(list, [](const std::string& entry) { return quote(entry); });
    }
    template <class List> static std::string addresses(const List& list)
    {
        return joined(list, [](const auto& entry) { return quote(entry.text()); });
    }

    void write_intercept(const netfilter::Intercept& intercept)
    {
        line("    intercept:");
        static constexpr const char* modes[] = {"tproxy", "redirect", "external"};
        line(std::string{"      mode: "} + modes[static_cast<int>(intercept.mode)]);
        line(std::string{"      transport: "} + (intercept.transport == netfilter::Transport::udp ? "udp" : "tcp"));
        if (!intercept.interfaces.empty()) line("      interfaces: " + texts(intercept.interfaces));
        line("      to: " + addresses(intercept.to));
        line("      ports: " + joined(intercept.ports, [](const auto& range) {
                 return std::to_string(range.first) + "-" + std::to_string(range.last);
             }));
        line("      except: {from: " + addresses(intercept.except_from) + ", to: " + addresses(intercept.except_to) +
             "}");
        if (intercept.mode == netfilter::Mode::external) return; // others' rules say what then holds
        line(std::string{"      when_down: "} + (intercept.when_down == netfilter::WhenDown::pass     ? "pass"
                                                 : intercept.when_down == netfilter::WhenDown::reject ? "reject"
                                                                                                      : "drop"));
    }
    void write_listeners(const Settings& settings)
    {
        line("listeners:" + std::string{settings.listeners.empty() ? " []" : ""});
        for (const auto& listener : settings.listeners) {
            static constexpr const char* protocols[] = {"auto", "http", "tls", "tcp", "udp"};
            line("  - name: " + quote(listener.name));
            if (listener.intercept) write_intercept(*listener.intercept);
            if (listener.binds()) line("    bind: " + addresses(listener.bind));
            line(std::string{"    protocol: "} + protocols[static_cast<int>(listener.protocol)]);
            static constexpr const char* sources[] = {"keep", "keep_with_port", "gateway"};
            line(std::string{"    client_address: "} + sources[static_cast<int>(listener.client_address)]);
            line("    limits: {connections: " + std::to_string(listener.max_connections) +
                 ", per_client: " + std::to_string(listener.max_per_client) + "}");
            line("    default: " + (listener.otherwise == intake::Otherwise::pool   ? "pool:" + listener.pool_name
                                    : listener.otherwise == intake::Otherwise::deny ? "deny"
                                                                                    : "original"));
            if (listener.proxy_protocol)
                line("    proxy_protocol: {required: true, trusted: " + addresses(listener.proxy_protocol->trusted) +
                     "}");
        }
    }
    static std::string fields(const std::vector<std::pair<std::string, std::string>>& list)
    {
        const auto body =
            joined(list, [](const auto& field) { return quote(field.first) + ": " + quote(field.second); });
        return "{" + body.substr(1, body.size() - 2) + "}";
    }
    static std::string edits(const filters::HeaderEdits& edits)
    {
        return "{set: " + fields(edits.set) + ", add: " + fields(edits.add) + ", remove: " + texts(edits.remove) + "}";
    }
    static std::string policy(const waf::Policy& policy)
    {
        static constexpr const char* modes[] = {"off", "detect", "block"};
        const auto rules = joined(policy.disable_rules, [](auto id) { return std::to_string(id); });
        const auto targets = joined(policy.disable_targets, [](const auto& entry) {
            return "\"" + std::to_string(entry.first) + "\": " + texts(entry.second);
        });
        return std::string{"mode: "} + modes[static_cast<int>(policy.mode)] +
               ", paranoia: " + std::to_string(policy.paranoia) +
               ", thresholds: {request: " + std::to_string(policy.request_threshold) +
               ", response: " + std::to_string(policy.response_threshold) + "}, disable_rules: " + rules +
               ", disable_targets: {" + targets.substr(1, targets.size() - 2) + "}";
    }
    void write_routes(const Settings& settings)
    {
        line("routes:" + std::string{settings.routes.empty() ? " []" : ""});
        for (std::size_t at = 0; at < settings.routes.size(); ++at) {
            const auto& route = settings.routes[at];
            const auto& extras = settings.route_extras[at];
            line("  - host: " + quote(route.host));
            line("    path: " + quote(route.path));
            line("    method: " + quote(route.method));
            if (!route.listeners.empty()) line("    listeners: " + texts(route.listeners));
            line("    to: " + quote(route.to));
            line("    timeout: " + time(route.timeout));
            line("    max_body: " + (route.max_body_bytes ? std::to_string(*route.max_body_bytes) : "unlimited"));
            line("    request_headers: " + edits(extras.request_headers));
            line("    response_headers: " + edits(extras.response_headers));
            line("    waf: {" + policy(settings.waf.policies[extras.waf_policy]) + "}");
        }
    }
    void write_pools(const Settings& settings)
    {
        static constexpr const char* headers[] = {"none", "v1", "v2"};
        line("pools:" + std::string{settings.pools.empty() ? " {}" : ""});
        for (const auto& pool : settings.pools) {
            const auto server = [](const upstream::PoolServer& one) {
                return "{address: " + quote(one.address.text()) + ", weight: " + std::to_string(one.weight) + "}";
            };
            line("  " + quote(pool.name) + ": {balance: round_robin, servers: " + joined(pool.servers, server) +
                 ", send_proxy: " + headers[static_cast<int>(pool.send_proxy)] + "}");
        }
    }
    void write_waf(const waf::Settings& waf)
    {
        line("waf: {" + policy(waf.policies[0]) + ", rules: " + (waf.crs ? "crs" : texts(waf.rule_files)) +
             ", bodies: {request_max: " + std::to_string(waf.request_max_bytes) +
             ", response_max: " + std::to_string(waf.response_max_bytes) +
             ", over_limit: " + (waf.over_limit == waf::OverLimit::reject ? "reject" : "pass_uninspected") +
             "}, on_failure: " + (waf.on_failure == waf::OnFailure::block ? "block" : "pass") + "}");
    }
    void write_host(const Settings& settings)
    {
        static constexpr const char* formats[] = {"json", "human", "off"};
        static constexpr const char* levels[] = {"debug", "info", "warning", "error"};
        line("admin: {socket: " + quote(settings.control.socket) + ", group: " + quote(settings.control.group) +
             (settings.control.metrics ? ", metrics: " + quote(settings.control.metrics->text()) : "") + "}");
        line(std::string{"logs: {access: {format: "} + formats[static_cast<int>(settings.session.access.format)] +
             ", to: " + quote(settings.session.access.to) +
             ", query: " + (settings.session.access.whole_query ? "full" : "names") +
             "}, level: " + levels[static_cast<int>(settings.control.level)] + "}");
        line("limits: {connections: " + std::to_string(settings.session.connections) +
             ", header_bytes: " + std::to_string(settings.proxy.limits.head_bytes) +
             ", per_client: " + std::to_string(settings.session.per_client) +
             (settings.session.memory_bytes != 0 ? ", memory: " + std::to_string(settings.session.memory_bytes) : "") +
             ", min_body_rate: " + std::to_string(settings.proxy.least_body_bytes_per_second) + ", hops: " +
             std::to_string(settings.proxy.own_hops) + ", udp_flows: " + std::to_string(settings.datagram.flows) +
             ", headers: " + std::to_string(settings.proxy.limits.fields) + "}");
        line("# target_bytes " + std::to_string(settings.proxy.limits.target_bytes));
    }
    void write_times(const Settings& settings)
    {
        line("timeouts:");
        line("  client_hello: " + time(settings.intake.hello_limit));
        line("  proxy_header: " + time(settings.intake.proxy_header_limit));
        line("  request_head: " + time(settings.proxy.head_limit));
        line("  keep_alive: " + time(settings.proxy.keep_alive_limit));
        line("  body_grace: " + time(settings.proxy.body_grace));
        line("  body_idle: " + time(settings.proxy.body_idle_limit));
        line("  upgraded_idle: " + time(settings.proxy.upgraded_idle_limit));
        line("  connect: " + time(settings.upstream.connect_limit));
        line("  upstream_idle: " + time(settings.upstream.idle_limit));
        line("  relay_idle: " + time(settings.relay.idle_limit));
        line("  relay_half_closed: " + time(settings.relay.half_closed_limit));
        line("  udp_unanswered: " + time(settings.datagram.unanswered_limit));
        line("  udp_idle: " + time(settings.datagram.idle_limit));
        line("  udp_dns_idle: " + time(settings.datagram.dns_idle_limit));
        line("  drain: " + time(settings.control.drain_limit));
    }
    void write_kernel(const Settings& settings)
    {
        static constexpr const char* backends[] = {"auto", "nft", "iptables"};
        const auto& kernel = settings.netfilter;
        line("kernel: {table: " + quote(kernel.table) + ", mark_mask: " + std::to_string(kernel.mark_mask) +
             ", captured_mark: " + std::to_string(kernel.captured_mark) +
             ", own_mark: " + std::to_string(kernel.own_mark) + ", route_table: " + std::to_string(kernel.route_table) +
             ", rule_priority: " + std::to_string(kernel.rule_priority) + ", zone: " + std::to_string(kernel.zone) +
             ", backend: " + backends[static_cast<int>(kernel.backend)] + "}");
        line("# upstream " + std::to_string(settings.upstream.own_mark));
        line("# datagram " + std::to_string(settings.datagram.own_mark));
    }

    std::string text_;
};

inline std::string as_yaml(const Settings& settings) { return YamlWriter{}.write(settings); }

} // namespace gw::config::testing
