#include "gateway/ctl/status_view.h"

#include "gateway/ctl/text_table.h"

namespace gw::ctl {

namespace {

constexpr std::size_t label_width = 11;

/// "label      text", cut to the width.
std::string line(const Look& look, std::string_view label, std::string text)
{
    const auto room = look.width > label_width + 3 ? look.width - label_width : 0;
    if (room != 0 && text.size() > room) text = text.substr(0, room - 3) + "...";
    std::string padded(label);
    padded.resize(std::max(padded.size() + 1, label_width), ' ');
    return paint(look, Colour::faint, padded) + text + '\n';
}

std::string title(const Json& status, const Look& look)
{
    const auto state = text_at(status, "state");
    std::string text = "gateway " + plain(text_at(status, "version")) + "  ";
    text += paint(look, state == "ok" ? Colour::green : Colour::red, plain(state));
    text += "  up " + span_text(count_at(status, "uptime_seconds"));
    text += "  generation " + grouped(count_at(status, "generation"));
    text += "  pid " + std::to_string(count_at(status, "pid"));
    if (count_at(status, "data_pid") != 0) text += " (data " + std::to_string(count_at(status, "data_pid")) + ')';
    return text + '\n';
}

std::string problems(const Json& status, const Look& look)
{
    std::string text;
    for (const auto& problem : list_at(status, "problems"))
        if (problem.is_string()) text += paint(look, Colour::red, "! " + first_line(problem.get<std::string>())) + '\n';
    for (const auto& warning : list_at(status, "warnings"))
        if (warning.is_string())
            text += paint(look, Colour::yellow, "? " + first_line(warning.get<std::string>())) + '\n';
    return text;
}

/// The daemon's clock says how long ago that was, so it need not agree with ours.
std::string ago(const Json& status, std::uint64_t at)
{
    const auto now = count_at(status, "started") + count_at(status, "uptime_seconds");
    return at >= now ? "just now" : span_text(now - at) + " ago";
}

std::string configuration(const Json& status)
{
    auto text = plain(text_at(status, "config_file"));
    const auto& reload = object_at(status, "last_reload");
    if (!has(reload, "at")) return text;
    const auto how = text_at(reload, "how");
    text += ", last " + (how.empty() ? "reload" : plain(how)) + ' ' + ago(status, count_at(reload, "at"));
    if (!flag_at(reload, "ok")) text += " REFUSED, the one before is in force: " + first_line(text_at(reload, "error"));
    return text;
}

/// A configuration on trial, or one that ended so with the process before. Empty: neither.
std::string trial(const Json& status, const Look& look)
{
    if (has(status, "pending_confirm")) {
        const auto left = count_at(object_at(status, "pending_confirm"), "seconds_left");
        return line(look, "trial", "goes back in " + std::to_string(left) + " s unless `gatewayctl confirm` comes");
    }
    if (has(status, "dropped_trial"))
        return line(look, "trial",
                    "one was never confirmed when gatewayd ended, " +
                        ago(status, count_at(object_at(status, "dropped_trial"), "at")) + ": it was dropped");
    return {};
}

std::string rules(const Json& status)
{
    const auto& rules = object_at(status, "rules");
    if (!flag_at(rules, "installed")) return "none, no listener intercepts";
    const auto about = " (" + plain(text_at(rules, "backend")) + ", table " + plain(text_at(rules, "table")) + ')';
    const auto missing = text_at(rules, "missing");
    return missing.empty() ? "installed" + about : "MISSING" + about + ": " + first_line(missing);
}

std::string waf(const Json& status)
{
    const auto& waf = object_at(status, "waf");
    auto text = plain(text_at(waf, "mode"));
    if (text.empty() || text == "off") return "off";
    if (const auto rules = plain(text_at(waf, "rules")); !rules.empty()) text += ", " + rules;
    text += ", " + counted(count_at(waf, "inspectors"), "inspector", "inspectors");
    if (const auto restarts = count_at(waf, "restarts")) text += " (" + counted(restarts, "restart", "restarts") + ')';
    text += ": " + short_count(count_at(waf, "inspected")) + " inspected, ";
    text += short_count(count_at(waf, "blocked")) + " blocked, ";
    return text + short_count(count_at(waf, "failed")) + " failed";
}

std::string traffic(const Json& totals)
{
    auto text = short_count(count_at(totals, "connections_active")) + " of ";
    text += short_count(count_at(totals, "connections")) + " connections active, ";
    text += short_count(count_at(totals, "requests")) + " requests, ";
    text += number_text(number_at(totals, "requests_per_second")) + "/s, ";
    text += bytes_text(count_at(totals, "bytes_from_clients")) + " in, ";
    return text + bytes_text(count_at(totals, "bytes_to_clients")) + " out";
}

std::string responses(const Json& classes)
{
    std::string text;
    for (const auto& [name, count] : classes.items()) {
        if (!count.is_number_unsigned() || count.get<std::uint64_t>() == 0) continue;
        if (!text.empty()) text += "  ";
        text += plain(name) + ' ' + short_count(count.get<std::uint64_t>());
    }
    return text.empty() ? "none yet" : text;
}

std::string latency(const Json& status)
{
    const auto& latency = object_at(status, "latency");
    if (!has(latency, "p50_ms")) return "nothing measured yet";
    auto text = "p50 " + number_text(number_at(latency, "p50_ms")) + " ms, p99 ";
    text += number_text(number_at(latency, "p99_ms")) + " ms";
    if (!has(latency, "added_p99_ms")) return text;
    text += "; of that the gateway's own: p50 " + number_text(number_at(latency, "added_p50_ms")) + " ms, p99 ";
    return text + number_text(number_at(latency, "added_p99_ms")) + " ms";
}

std::string faults(const Json& faults)
{
    std::string text;
    for (const auto& fault : faults) {
        if (count_at(fault, "count") == 0) continue;
        if (!text.empty()) text += ", ";
        text += plain(text_at(fault, "side")) + ' ' + plain(text_at(fault, "fault")) + ' ';
        text += short_count(count_at(fault, "count"));
    }
    return text;
}

std::string listeners(const Json& listeners, const Look& look)
{
    TextTable table({{"LISTENER", false, 8},
                     {"KIND", false, 0, 2},
                     {"PROTOCOL", false, 0, 1},
                     {"WHEN DOWN", false, 0, 3},
                     {"ACTIVE", true},
                     {"TOTAL", true},
                     {"WHERE", false, 12, 4},
                     {"ADDRESSES", false, 16}});
    for (const auto& listener : listeners) {
        std::string addresses;
        for (const auto& address : list_at(listener, "addresses")) {
            if (!address.is_string()) continue;
            if (!addresses.empty()) addresses += ", ";
            addresses += plain(address.get<std::string>());
        }
        table.add({{plain(text_at(listener, "name"))},
                   {plain(text_at(listener, "kind"))},
                   {plain(text_at(listener, "protocol"))},
                   {plain(text_at(listener, "when_down"))},
                   {short_count(count_at(listener, "connections_active"))},
                   {short_count(count_at(listener, "connections_total"))},
                   {plain(text_at(listener, "where"))},
                   {addresses}});
    }
    return table.empty() ? "" : '\n' + table.text(look);
}

} // namespace

std::string status_view(const Json& status, const Look& look)
{
    auto text = title(status, look) + problems(status, look);
    text += line(look, "config", configuration(status)) + trial(status, look);
    text += line(look, "rules", rules(status));
    text += line(look, "waf", waf(status));
    text += line(look, "traffic", traffic(object_at(status, "totals")));
    text += line(look, "responses", responses(object_at(status, "responses")));
    text += line(look, "latency", latency(status));
    if (const auto some = faults(list_at(status, "faults")); !some.empty()) text += line(look, "faults", some);
    return text + listeners(list_at(status, "listeners"), look);
}

} // namespace gw::ctl
