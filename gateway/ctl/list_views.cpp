#include "gateway/ctl/list_views.h"

#include "gateway/ctl/text_table.h"

#include <algorithm>

namespace gw::ctl {

namespace {

std::uint64_t bytes_of(const Json& connection)
{
    return count_at(connection, "from_client_bytes") + count_at(connection, "to_client_bytes");
}

/// The most telling name a connection has.
std::string meant(const Json& connection)
{
    const auto name = plain(text_at(connection, "server_name"));
    return name.empty() ? "-" : name;
}

std::string or_dash(const Json& object, std::string_view key)
{
    const auto text = plain(text_at(object, key));
    return text.empty() ? "-" : text;
}

std::string route_of(const Json& object)
{
    const auto route = or_dash(object, "route");
    return route == "-1" ? "-" : route;
}

std::string last_hit(const Json& route, std::uint64_t now)
{
    const auto at = count_at(route, "last_hit");
    if (at == 0) return "never";
    return at >= now ? "now" : span_text(now - at) + " ago";
}

std::string joined(const Json& texts, std::string_view otherwise)
{
    std::string text;
    for (const auto& one : texts) {
        if (!text.empty()) text += ',';
        text += plain(one.is_string() ? one.get<std::string>() : one.dump());
    }
    return text.empty() ? std::string(otherwise) : text;
}

/// " end: upstream timed_out: connect 192.0.2.1:80", when it did not end well.
std::string ending(const Json& record, const Look& look)
{
    const auto end = text_at(record, "end");
    if (end.empty() || end == "ok") return {};
    auto text = "end " + plain(text_at(record, "side"));
    if (text.back() != ' ') text += ' ';
    text += plain(end);
    if (const auto what = plain(text_at(record, "what")); !what.empty()) text += ": " + what;
    return "  " + paint(look, Colour::yellow, text);
}

std::string waf_part(const Json& record, const Look& look)
{
    const auto& waf = object_at(record, "waf");
    const auto verdict = text_at(waf, "verdict");
    if (verdict.empty() || (verdict == "pass" && count_at(waf, "score") == 0)) return {};
    auto text = "waf " + plain(verdict) + " score " + std::to_string(count_at(waf, "score"));
    if (!list_at(waf, "rules").empty()) text += " rules " + joined(list_at(waf, "rules"), "");
    if (const auto incident = plain(text_at(waf, "incident")); !incident.empty()) text += " incident " + incident;
    return "  " + paint(look, verdict == "block" ? Colour::red : Colour::yellow, text);
}

std::string way(const Json& record)
{
    std::string text;
    if (const auto route = route_of(record); route != "-") text += "  route " + route;
    const auto upstream = plain(text_at(record, "upstream"));
    return upstream.empty() ? text : text + " -> " + upstream;
}

std::string request_words(const Json& record, const Look& look)
{
    const auto status = count_at(record, "status");
    const auto colour = status >= 500 ? Colour::red : status >= 400 ? Colour::yellow : Colour::green;
    auto text = plain(text_at(record, "method")) + ' ' + plain(text_at(record, "host"));
    text += plain(text_at(record, "target")) + ' ';
    text += paint(look, colour, status == 0 ? "-" : std::to_string(status));
    return text + ' ' + bytes_text(count_at(record, "response_bytes"));
}

std::string connection_words(const Json& record)
{
    auto text = or_dash(record, "protocol") + " to " + or_dash(record, "destination");
    if (const auto name = plain(text_at(record, "server_name")); !name.empty()) text += " (" + name + ')';
    if (const auto action = plain(text_at(record, "action")); !action.empty()) text += ' ' + action;
    text += ' ' + bytes_text(count_at(record, "from_client_bytes")) + " in ";
    return text + bytes_text(count_at(record, "to_client_bytes")) + " out";
}

/// "suppressed 812 records of what came to nothing, since 2026-07-01T00:00:00.000Z: 406 connections, 406 requests".
std::string suppressed_words(const Json& record)
{
    std::string kinds;
    const auto add = [&](std::string_view member, const char* one, const char* many) {
        const auto count = count_at(record, member);
        if (count != 0) kinds += (kinds.empty() ? "" : ", ") + counted(count, one, many);
    };
    add("connections", "connection", "connections");
    add("requests", "request", "requests");
    add("flows", "flow", "flows");
    return "suppressed " + counted(count_at(record, "suppressed"), "record", "records") +
           " of what came to nothing, since " + plain(text_at(record, "since")) + ": " + kinds;
}

} // namespace

namespace {

double rate_of(const Json& connection, const ConnectionOrder& order)
{
    if (order.rates == nullptr) return 0;
    const auto found = order.rates->find(text_at(connection, "id"));
    return found == order.rates->end() ? 0 : found->second;
}

double weight_of(const Json& connection, const ConnectionOrder& order)
{
    using By = ConnectionOrder::By;
    switch (order.by) {
    case By::arrival: return 0;
    case By::bytes: return static_cast<double>(bytes_of(connection));
    case By::rate: return rate_of(connection, order);
    case By::age: return static_cast<double>(count_at(connection, "age_seconds"));
    case By::requests: return static_cast<double>(count_at(connection, "requests"));
    }
    return 0;
}

std::vector<const Json*> in_order(const Json& connections, const ConnectionOrder& order)
{
    std::vector<std::pair<double, const Json*>> weighed;
    for (const auto& connection : connections) weighed.emplace_back(weight_of(connection, order), &connection);
    if (order.by != ConnectionOrder::By::arrival)
        std::stable_sort(weighed.begin(), weighed.end(),
                         [](const auto& a, const auto& b) { return a.first > b.first; });
    if (order.most != 0 && weighed.size() > order.most) weighed.resize(order.most);
    std::vector<const Json*> chosen;
    for (const auto& each : weighed) chosen.push_back(each.second);
    return chosen;
}

std::string not_shown(const Json& answer, std::size_t shown)
{
    const auto total = has(answer, "total") ? count_at(answer, "total") : shown;
    const auto matching = has(answer, "matching") ? count_at(answer, "matching") : shown;
    if (shown >= matching && matching >= total) return {};
    auto text = grouped(shown) + " shown of " + grouped(matching);
    if (matching < total) text += " that fit, of " + grouped(total);
    return text + (flag_at(answer, "truncated")
                       ? "; the daemon listed only " + grouped(count_at(answer, "listed")) + " (--limit)\n"
                       : "\n");
}

} // namespace

ConnectionOrder::By order_named(std::string_view word)
{
    using By = ConnectionOrder::By;
    if (word == "bytes") return By::bytes;
    if (word == "rate") return By::rate;
    if (word == "age") return By::age;
    if (word == "requests") return By::requests;
    return By::arrival;
}

std::string connections_view(const Json& answer, const ConnectionOrder& order, const Look& look)
{
    const auto rows = in_order(list_at(answer, "connections"), order);
    std::vector<Column> columns{{"ID", false, 0, 6},
                                {"AGE", true},
                                {"CLIENT", false, 15},
                                {"DESTINATION", false, 15},
                                {"LISTENER", false, 8, 4},
                                {"PROTOCOL", false, 0, 3},
                                {"NAME", false, 12, 2},
                                {"ROUTE", true, 0, 5},
                                {"UPSTREAM", false, 12, 7},
                                {"REQUESTS", true, 0, 1},
                                {"IN", true},
                                {"OUT", true},
                                {"STATE", false, 0, 1}};
    if (order.rates != nullptr) columns.push_back({"RATE", true});
    TextTable table(std::move(columns));
    for (const auto* connection : rows) {
        std::vector<Cell> row{{plain(text_at(*connection, "id"))},
                              {span_text(count_at(*connection, "age_seconds"))},
                              {plain(text_at(*connection, "client"))},
                              {plain(text_at(*connection, "destination"))},
                              {or_dash(*connection, "listener")},
                              {or_dash(*connection, "protocol")},
                              {meant(*connection)},
                              {route_of(*connection)},
                              {or_dash(*connection, "upstream")},
                              {grouped(count_at(*connection, "requests"))},
                              {bytes_text(count_at(*connection, "from_client_bytes"))},
                              {bytes_text(count_at(*connection, "to_client_bytes"))},
                              {or_dash(*connection, "state")}};
        if (order.rates != nullptr)
            row.push_back({bytes_text(static_cast<std::uint64_t>(rate_of(*connection, order))) + "/s"});
        table.add(std::move(row));
    }
    return table.text(look) + not_shown(answer, rows.size());
}

std::string routes_view(const Json& routes, std::uint64_t now, const Look& look)
{
    TextTable table({{"#", true},
                     {"METHOD", false, 0, 1},
                     {"HOST", false, 12},
                     {"PATH", false, 8},
                     {"TO", false, 12},
                     {"LISTENERS", false, 6, 3},
                     {"WAF", false, 0, 2},
                     {"HITS", true},
                     {"LAST HIT", true},
                     {"WHERE", false, 12, 4}});
    for (const auto& route : routes) {
        const bool unused = count_at(route, "hits") == 0;
        table.add({{plain(text_at(route, "index"))},
                   {plain(text_at(route, "method"))},
                   {plain(text_at(route, "host"))},
                   {plain(text_at(route, "path"))},
                   {plain(text_at(route, "to"))},
                   {joined(list_at(route, "listeners"), "all")},
                   {or_dash(route, "waf")},
                   {grouped(count_at(route, "hits"))},
                   {last_hit(route, now), unused ? Colour::faint : Colour::none},
                   {plain(text_at(route, "where"))}});
    }
    return table.text(look);
}

std::string record_line(const Json& record, const Look& look)
{
    auto text = paint(look, Colour::faint, plain(text_at(record, "time"))) + ' ';
    if (text_at(record, "kind") == "suppressed")
        return text + paint(look, Colour::yellow, suppressed_words(record)) + '\n';
    text += plain(text_at(record, "client")) + ' ';
    text += text_at(record, "kind") == "request" ? request_words(record, look) : connection_words(record);
    text += ' ' + number_text(number_at(record, "duration_ms")) + " ms";
    text += way(record) + waf_part(record, look) + ending(record, look);
    return text + '\n';
}

} // namespace gw::ctl
