#include "gateway/ctl/connection_view.h"

#include <algorithm>
#include <sstream>
#include <utility>

/// One connection for people: a block of lines for each step of its way.
namespace gw::ctl {

namespace {

constexpr std::size_t label_width = 10;

class Page {
public:
    explicit Page(const Look& look) : look_(look) {}

    void begin(std::string_view label) { label_ = label; }
    void line(const std::string& text, Colour colour = Colour::none)
    {
        if (text.empty()) return;
        auto label = std::exchange(label_, {});
        label.resize(label_width, ' ');
        text_ += paint(look_, Colour::strong, label) + paint(look_, colour, text) + '\n';
    }
    std::string text() && { return std::move(text_); }

private:
    const Look& look_;
    std::string label_;
    std::string text_;
};

std::string member(const Json& object, std::string_view key) { return plain(text_at(object, key)); }

/// A sentence of the daemon's, in which clients' bytes are made harmless already: quotes stay as they are.
std::string sentence(const Json& object, std::string_view key)
{
    auto text = harmless(text_at(object, key));
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

std::string in_brackets(const std::string& text) { return text.empty() ? "" : " (" + text + ')'; }

/// "12.3 ms", or nothing.
std::string time_of(const Json& timings, std::string_view key, std::string_view words)
{
    if (!has(timings, key)) return {};
    return std::string(words) + ' ' + number_text(number_at(timings, key)) + " ms";
}

std::string joined(const std::vector<std::string>& parts)
{
    std::string text;
    for (const auto& part : parts) {
        if (part.empty()) continue;
        if (!text.empty()) text += ", ";
        text += part;
    }
    return text;
}

void add_head(const Json& connection, Page& page)
{
    page.begin("id");
    page.line(member(connection, "id") + (flag_at(connection, "live") ? ", under way: " : ", ") +
              member(connection, "state"));
    const auto& configuration = object_at(connection, "configuration");
    if (!flag_at(configuration, "same"))
        page.line("it keeps configuration " + member(configuration, "generation") + "; in force is " +
                      member(configuration, "in_force"),
                  Colour::yellow);
    page.begin("client");
    page.line(member(connection, "client"));
}

void add_capture(const Json& capture, Page& page)
{
    page.begin("capture");
    page.line(joined({member(capture, "kind"), member(capture, "mode")}) + " \"" + member(capture, "listener") + '"' +
              in_brackets(member(capture, "where")));
    for (const auto& rule : list_at(capture, "rules"))
        if (rule.is_string()) page.line("rule " + plain(rule.get<std::string>()), Colour::faint);
    const auto& kernel = object_at(capture, "kernel");
    if (has(kernel, "mark")) page.line("mark " + member(kernel, "mark"));
    page.line(member(kernel, "policy_rule"));
    if (has(kernel, "route")) page.line("route " + member(kernel, "route"));
    page.begin("to");
    page.line(member(capture, "destination") + in_brackets(member(capture, "recovered_how")));
}

void add_peek(const Json& peek, Page& page)
{
    page.begin("peek");
    page.line(member(peek, "protocol") + ": " + member(peek, "why"));
    if (has(peek, "server_name")) page.line("name (SNI) " + member(peek, "server_name"));
    if (has(peek, "alpn")) page.line("offers (ALPN) " + member(peek, "alpn"));
    if (flag_at(peek, "encrypted_client_hello")) page.line("ECH: the name may be the outer one", Colour::yellow);
}

void add_route(const Json& route, Page& page)
{
    page.begin("route");
    page.line(member(route, "asked"));
    for (const auto& tried : list_at(route, "tried")) {
        const bool taken = text_at(tried, "result") == "taken";
        const auto method = member(tried, "method");
        page.line('#' + member(tried, "index") + ' ' + (method == "_" ? "" : method + ' ') + member(tried, "host") +
                      ' ' + member(tried, "path") + " -> " + member(tried, "to") + in_brackets(member(tried, "where")),
                  taken ? Colour::green : Colour::yellow);
        page.line(std::string("   ") + (taken ? "TAKEN: " : "near miss: ") + sentence(tried, "why"));
    }
    if (has(route, "note")) page.line(sentence(route, "note") + in_brackets(member(route, "where")));
    if (const auto action = member(route, "action"); !action.empty()) page.line("action " + action);
}

void add_upstream(const Json& upstream, Page& page)
{
    page.begin("upstream");
    if (!has(upstream, "address")) {
        page.line("none was reached");
        return;
    }
    page.line(member(upstream, "address") + in_brackets(member(upstream, "why")));
    page.line("client's address " + member(upstream, "source_why"));
    if (upstream.contains("zone")) page.line("conntrack zone " + member(upstream, "zone"));
    if (!has(upstream, "upstream_connections")) return;
    page.line(counted(count_at(upstream, "upstream_connections"), "request", "requests") + " over a new connection, " +
              grouped(count_at(upstream, "upstream_reuses")) + " over one used before");
}

void add_traffic(const Json& connection, Page& page)
{
    const auto& traffic = object_at(connection, "traffic");
    page.begin("traffic");
    page.line(bytes_text(count_at(traffic, "from_client_bytes")) + " from the client, " +
              bytes_text(count_at(traffic, "to_client_bytes")) + " to it, " +
              counted(count_at(traffic, "requests"), "request", "requests"));
    for (const auto& request : list_at(connection, "requests"))
        page.line(joined({member(request, "method") + ' ' + member(request, "host") + member(request, "target") + ' ' +
                              member(request, "status"),
                          time_of(request, "duration_ms", "in"), time_of(request, "upstream_ms", "upstream"),
                          member(request, "id")}),
                  Colour::faint);
    const auto& timings = object_at(connection, "timings");
    page.begin("time");
    page.line(joined({time_of(timings, "peek_ms", "peeked after"), time_of(timings, "dial_ms", "dialled in"),
                      time_of(timings, "first_byte_ms", "first byte of the upstream after"),
                      time_of(timings, "duration_ms", flag_at(connection, "live") ? "open for" : "ended after")}));
}

void add_end(const Json& connection, Page& page)
{
    const auto& end = object_at(connection, "end");
    if (!has(end, "result")) return;
    const bool well = text_at(end, "result") == "ok";
    page.begin("end");
    auto text = well ? "ok" : joined({member(end, "side") + ' ' + member(end, "result"), member(end, "what")});
    page.line(text + in_brackets(member(end, "why")), well ? Colour::green : Colour::yellow);
    page.line(member(end, "at"), Colour::faint);
}

} // namespace

std::vector<std::string> rules_of_listener(const Json& rules, std::string_view listener, std::string_view destination)
{
    constexpr std::size_t longest_name_in_comment = 64;
    const bool v6 = destination.starts_with('[');
    const auto name = ' ' + std::string(listener.substr(0, longest_name_in_comment));
    std::vector<std::string> found;
    std::istringstream lines(rules_text(rules));
    for (std::string line; std::getline(lines, line);) {
        const auto comment = line.rfind("comment \"");
        if (comment == std::string::npos) continue;
        const auto begin = line.find(name, comment);
        const auto after = begin == std::string::npos ? begin : begin + name.size();
        if (after == std::string::npos || after >= line.size() || (line[after] != '"' && line[after] != ' ')) continue;
        const auto named = line.find(v6 ? " IPv4 " : " IPv6 ", comment);
        const bool other_family = (named != std::string::npos && named < after) ||
                                  (line.find(v6 ? " ip daddr" : " ip6 daddr") != std::string::npos &&
                                   line.find(v6 ? " ip6 daddr" : " ip daddr") == std::string::npos);
        if (!other_family) found.push_back(line);
    }
    return found;
}

std::string connection_view(const Json& connection, const Look& look)
{
    Page page(look);
    add_head(connection, page);
    add_capture(object_at(connection, "capture"), page);
    add_peek(object_at(connection, "peek"), page);
    add_route(object_at(connection, "route"), page);
    add_upstream(object_at(connection, "upstream"), page);
    add_traffic(connection, page);
    add_end(connection, page);
    return std::move(page).text();
}

} // namespace gw::ctl
