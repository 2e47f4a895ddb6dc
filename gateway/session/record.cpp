#include "gateway/session/record.h"

#include "gateway/base/log.h"
#include "gateway/intake/proxy_header.h"
#include "gateway/session/record_json.h"

#include <algorithm>

namespace gw::session {

namespace {

using Clock = std::chrono::steady_clock;

std::string_view name_of_mode(waf::Mode mode)
{
    switch (mode) {
    case waf::Mode::off: return "off";
    case waf::Mode::detect: return "detect";
    case waf::Mode::block: return "block";
    }
    return "off";
}

std::string_view name_of_action(waf::Verdict::Action action)
{
    switch (action) {
    case waf::Verdict::Action::pass: return "pass";
    case waf::Verdict::Action::block: return "block";
    case waf::Verdict::Action::failed: return "failed";
    }
    return "failed";
}

/// The harsher of the two verdicts decides what the line says.
const waf::Verdict* leading_verdict(const proxy::ExchangeRecord& record)
{
    if (record.response_verdict &&
        (!record.request_verdict || record.response_verdict->action != waf::Verdict::Action::pass))
        return &*record.response_verdict;
    return record.request_verdict ? &*record.request_verdict : nullptr;
}

/// pass, detected (rules scored, nothing was stopped), block, failed.
std::string_view verdict_word(const waf::Verdict& verdict, bool any_hits)
{
    if (verdict.action == waf::Verdict::Action::pass && any_hits) return "detected";
    return name_of_action(verdict.action);
}

bool any_hits(const proxy::ExchangeRecord& record)
{
    return (record.request_verdict && !record.request_verdict->hits.empty()) ||
           (record.response_verdict && !record.response_verdict->hits.empty());
}

template <class Each> void for_each_hit(const proxy::ExchangeRecord& record, Each each)
{
    for (const auto* verdict : {&record.request_verdict, &record.response_verdict})
        if (*verdict)
            for (const auto& hit : (*verdict)->hits) each(hit);
}

void put_waf(JsonObject& object, const proxy::ExchangeRecord& record, std::string_view incident)
{
    auto& out = object.raw("waf");
    JsonObject waf{out};
    waf.text("mode", name_of_mode(record.waf_mode));
    if (const auto* verdict = leading_verdict(record)) {
        waf.text("verdict", verdict_word(*verdict, any_hits(record)));
        waf.number("score", verdict->score);
        auto& rules = waf.raw("rules");
        rules += '[';
        for_each_hit(record, [&](const waf::Hit& hit) {
            if (rules.back() != '[') rules += ',';
            rules += std::to_string(hit.id);
        });
        rules += ']';
        auto& matches = waf.raw("matches");
        matches += '[';
        for_each_hit(record, [&](const waf::Hit& hit) {
            if (matches.back() != '[') matches += ',';
            JsonObject match{matches};
            match.number("rule", hit.id);
            match.text("message", hit.message);
            match.text("matched", hit.matched);
            match.end();
        });
        matches += ']';
        if (!verdict->failure.empty()) waf.text("failure", verdict->failure);
    }
    if (record.incident) waf.text("incident", incident);
    waf.end();
}

void put_source(JsonObject& object, upstream::Source source, std::string_view fallback)
{
    object.boolean("source_kept", source != upstream::Source::gateway);
    object.text("source", upstream::name_of(source));
    if (!fallback.empty()) object.text("source_fallback", fallback);
}

std::string in_hex(std::string_view bytes)
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        text += digits[static_cast<unsigned char>(c) >> 4];
        text += digits[static_cast<unsigned char>(c) & 15];
    }
    return text;
}

/// Who dialled us, when it was not the client, and what else its PROXY header said.
void put_introduction(JsonObject& object, const std::shared_ptr<const Introduced>& introduced)
{
    constexpr std::size_t longest_name_bytes = 255;
    if (introduced == nullptr) return;
    put_endpoint(object, "sender", introduced->sender);
    object.text("proxy_header", name_of(introduced->fate));
    if (introduced->version == 0) return;
    object.number("proxy_version", introduced->version);
    if (const auto name = intake::find_tlv(introduced->tlvs, intake::tlv::authority))
        object.text("proxy_authority", name->substr(0, longest_name_bytes));
    if (const auto id = intake::find_tlv(introduced->tlvs, intake::tlv::unique_id))
        object.text("proxy_unique_id", in_hex(*id));
}

std::string_view state_of(const ConnectionRecord& record)
{
    return record.state == "http" && record.live.waiting ? "idle" : record.state;
}

void put_timings(JsonObject& object, const ConnectionRecord& record, Clock::time_point now)
{
    if (record.peeked_after.count() != 0) object.milliseconds("peek_ms", record.peeked_after);
    const auto dial = record.dial_time.count() != 0 ? record.dial_time : record.live.dial_time;
    if (dial.count() != 0) object.milliseconds("dial_ms", dial);
    const auto first = record.relayed.first_to_client_at != Clock::time_point{} ? record.relayed.first_to_client_at
                                                                                : record.live.first_answer_at;
    if (first != Clock::time_point{}) object.milliseconds("first_byte_ms", first - record.began);
    object.milliseconds("duration_ms", now - record.began);
}

void put_upstream(JsonObject& object, const ConnectionRecord& record)
{
    const bool by_relay = record.live.upstream.port == 0;
    const auto& upstream = by_relay ? record.upstream : record.live.upstream;
    if (upstream.port == 0) return;
    put_endpoint(object, "upstream", upstream);
    put_source(object, by_relay ? record.source : record.live.source,
               by_relay ? record.source_fallback : record.live.source_fallback);
    if (record.dialled_early) object.boolean("dialled_early", true);
    if (record.live.upstream_connections + record.live.upstream_reuses == 0) return;
    object.number("upstream_connections", record.live.upstream_connections);
    object.number("upstream_reuses", record.live.upstream_reuses);
}

/// All that is known of a connection but how it ended.
void put_connection(JsonObject& object, const ConnectionRecord& record, Clock::time_point now)
{
    object.text("time", time_text(std::chrono::system_clock::now()));
    object.text("kind", "connection");
    object.text("id", record.id);
    object.text("listener", record.flow.listener);
    put_endpoint(object, "client", record.flow.client);
    put_endpoint(object, "destination", record.flow.destination);
    object.text("recovered", name_of(record.flow.recovered));
    put_introduction(object, record.introduced);
    object.text("protocol", record.kind ? name_of(*record.kind) : "unknown");
    if (record.tls != nullptr) {
        if (!record.tls->server_name.empty()) object.text("server_name", record.tls->server_name);
        if (!record.tls->alpn.empty()) object.text("alpn", record.tls->alpn);
        if (record.tls->encrypted_client_hello) object.boolean("encrypted_client_hello", true);
    }
    object.number("generation", record.generation);
    object.number("route", record.live.route);
    object.text("action", record.action);
    put_upstream(object, record);
    object.number("from_client_bytes", record.relayed.from_client_bytes + record.live.from_client_bytes);
    object.number("to_client_bytes", record.relayed.to_client_bytes + record.live.to_client_bytes);
    object.number("requests", record.live.requests);
    put_timings(object, record, now);
}

std::string request_id(const proxy::ExchangeRecord& record, const ConnectionRecord& connection)
{
    return connection.id + "-" + std::to_string(record.number);
}

} // namespace

std::string without_values(std::string_view target)
{
    const auto query = std::min(target.find('?'), target.size());
    std::string out{target.substr(0, query)};
    target.remove_prefix(query);
    while (!target.empty()) {
        out += target.front(); // '?', '&' or ';'
        target.remove_prefix(1);
        const auto pair = target.substr(0, target.find_first_of("&;"));
        const auto equals = pair.find('=');
        if (equals != std::string_view::npos) out.append(pair.substr(0, equals + 1));
        if (equals == std::string_view::npos ? !pair.empty() : equals + 1 < pair.size()) out += "***";
        target.remove_prefix(pair.size());
    }
    return out;
}

void append_json_line(std::string& into, const ConnectionRecord& record, Clock::time_point now)
{
    JsonObject object{into};
    put_connection(object, record, now);
    put_error(object, record.error.get());
    object.end();
}

void append_detail(std::string& into, const ConnectionRecord& record, Clock::time_point now)
{
    JsonObject object{into};
    put_connection(object, record, now);
    object.text("state", state_of(record));
    object.end();
}

void append_json_line(std::string& into, const proxy::ExchangeRecord& record, const ConnectionRecord& connection,
                      bool whole_query)
{
    const auto id = request_id(record, connection);
    JsonObject object{into};
    object.text("time", time_text(std::chrono::system_clock::now()));
    object.text("kind", "request");
    object.text("id", id);
    object.text("connection", connection.id);
    object.text("listener", connection.flow.listener);
    put_endpoint(object, "client", connection.flow.client);
    put_endpoint(object, "destination", connection.flow.destination);
    if (connection.introduced != nullptr) put_endpoint(object, "sender", connection.introduced->sender);
    object.text("method", record.method);
    object.text("host", record.host);
    object.text("target", whole_query ? record.target : without_values(record.target));
    object.text("version", record.minor_version == 0 ? "1.0" : "1.1");
    object.number("status", record.status);
    object.number("route", record.route);
    object.text("action", record.action);
    if (record.upstream.port != 0) {
        put_endpoint(object, "upstream", record.upstream);
        object.boolean("reused", record.reused);
        put_source(object, record.source, record.source_fallback);
        object.milliseconds("upstream_ms", record.upstream_wait);
    }
    object.number("request_bytes", record.request_bytes);
    object.number("response_bytes", record.response_bytes);
    object.milliseconds("duration_ms", record.ended - record.began);
    if (record.waf_mode != waf::Mode::off) put_waf(object, record, id);
    put_error(object, record.error ? &*record.error : nullptr);
    object.end();
}

void append_human_line(std::string& into, const ConnectionRecord& record, Clock::time_point now)
{
    into.append(time_text(std::chrono::system_clock::now())).append(" conn ").append(record.id).append(" ");
    into.append(record.flow.client.text());
    if (record.introduced != nullptr && record.introduced->fate == HeaderFate::client)
        into.append(" (by ").append(record.introduced->sender.text()).append(")");
    into.append(" -> ").append(record.flow.destination.text());
    into.append(" ").append(record.kind ? name_of(*record.kind) : "unknown");
    if (record.tls != nullptr && !record.tls->server_name.empty()) {
        into += " \"";
        log::append_plain(into, record.tls->server_name);
        into += '"';
    }
    into.append(" ").append(record.action.empty() ? "-" : record.action);
    if (record.upstream.port != 0) into.append(" via ").append(record.upstream.text());
    into.append(" in ").append(std::to_string(record.relayed.from_client_bytes + record.live.from_client_bytes));
    into.append(" out ")
        .append(std::to_string(record.relayed.to_client_bytes + record.live.to_client_bytes))
        .append(" ");
    JsonObject::append_milliseconds(into, now - record.began);
    into += " ms ";
    if (record.error)
        log::append_plain(into, describe(*record.error));
    else
        into += "ok";
}

void append_human_line(std::string& into, const proxy::ExchangeRecord& record, const ConnectionRecord& connection,
                       bool whole_query)
{
    into.append(time_text(std::chrono::system_clock::now())).append(" req ").append(request_id(record, connection));
    into.append(" ").append(connection.flow.client.text()).append(" \"");
    log::append_plain(into, record.method);
    into += ' ';
    log::append_plain(into, record.host);
    log::append_plain(into, whole_query ? record.target : without_values(record.target));
    into.append("\" ").append(std::to_string(record.status)).append(" ").append(std::to_string(record.response_bytes));
    into += ' ';
    JsonObject::append_milliseconds(into, record.ended - record.began);
    into += " ms";
    if (record.upstream.port != 0) into.append(" via ").append(record.upstream.text());
    if (const auto* verdict = leading_verdict(record)) {
        into.append(" waf ").append(verdict_word(*verdict, any_hits(record)));
        for_each_hit(record, [&](const waf::Hit& hit) { into.append(" ").append(std::to_string(hit.id)); });
    }
    if (record.error) {
        into += ' ';
        log::append_plain(into, describe(*record.error));
    }
}

void append_progress(std::string& into, const ConnectionRecord& record, Clock::time_point now)
{
    JsonObject object{into};
    object.text("id", record.id);
    object.text("listener", record.flow.listener);
    put_endpoint(object, "client", record.flow.client);
    put_endpoint(object, "destination", record.flow.destination);
    object.text("recovered", name_of(record.flow.recovered));
    if (record.introduced != nullptr) put_endpoint(object, "sender", record.introduced->sender);
    object.text("protocol", record.kind ? name_of(*record.kind) : "unknown");
    object.text("server_name", record.tls != nullptr ? record.tls->server_name : "");
    object.number("route", record.live.route);
    object.text("action", record.action);
    const auto& upstream = record.live.upstream.port != 0 ? record.live.upstream : record.upstream;
    object.text("upstream", upstream.port != 0 ? upstream.text() : "");
    object.number("requests", record.live.requests);
    object.number("from_client_bytes", record.relayed.from_client_bytes + record.live.from_client_bytes);
    object.number("to_client_bytes", record.relayed.to_client_bytes + record.live.to_client_bytes);
    object.number("age_seconds", std::chrono::duration_cast<std::chrono::seconds>(now - record.began).count());
    object.text("state", state_of(record));
    object.end();
}

} // namespace gw::session
