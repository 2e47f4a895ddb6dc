// to: URL | pool:NAME | original | deny | redirect:[STATUS ]URL | respond:STATUS[ TEXT]
// URL: http[s]://HOST[:PORT][/PATH][?QUERY], where HOST's labels, PORT and PATH's segments may be bindings (":name").
#include "gateway/route/destination.h"

#include "gateway/base/endpoint.h"
#include "gateway/route/suggest.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace gw::route {

namespace {

constexpr std::size_t max_text_bytes = 64 * 1024;
constexpr std::array<int, 5> redirect_statuses{301, 302, 303, 307, 308};

Error wrong(std::string what) { return Error{Fault::malformed, Side::gateway, std::move(what), {}}; }
std::string quoted(std::string_view text) { return '"' + std::string{text} + '"'; }

std::string lowered(std::string_view text)
{
    std::string low{text};
    std::transform(low.begin(), low.end(), low.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return low;
}

bool is_number(std::string_view text)
{
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

int number_from(std::string_view text)
{
    int number = -1;
    const auto* end = text.data() + text.size();
    const auto [rest, failed] = std::from_chars(text.data(), end, number);
    return failed == std::errc{} && rest == end ? number : -1;
}

/// The index of a name that the route's host or path binds. `text` with its colon.
Result<int> known_name(std::string_view text, const Names* names)
{
    const auto name = text.substr(1);
    if (!is_name(name)) return wrong(quoted(text) + " is no binding: " + std::string{rule_for_names});
    if (names == nullptr) return 0;
    const auto known = std::find(names->begin(), names->end(), name);
    if (known != names->end()) return static_cast<int>(known - names->begin());
    const std::vector<std::string_view> candidates(names->begin(), names->end());
    auto what = quoted(text) + " is bound neither by the host nor by the path";
    if (const auto near = nearest(name, candidates); !near.empty())
        what += ", did you mean \":" + std::string{near} + "\"?";
    return wrong(std::move(what));
}

Result<> parse_port(std::string_view text, const Names* names, Destination& into)
{
    if (!text.empty() && text.front() == ':') {
        const auto name = known_name(text, names);
        if (!name) return name.error();
        into.port_binding = *name;
        return {};
    }
    const auto port = is_number(text) ? number_from(text) : -1;
    if (port < 1 || port > 65'535) return wrong(quoted(text) + " is no port: 1 to 65535");
    into.port = static_cast<std::uint16_t>(port);
    return {};
}

Result<> parse_host(std::string_view text, const Names* names, Destination& into)
{
    std::string fixed;
    std::string_view label;
    for (auto rest = text;;) {
        const auto dot = rest.find('.');
        label = rest.substr(0, dot);
        if (!label.empty() && label.front() == ':') {
            const auto name = known_name(label, names);
            if (!name) return name.error();
            if (!fixed.empty()) into.host.push_back(Part{std::exchange(fixed, {}), -1});
            into.host.push_back(Part{{}, *name});
        } else {
            if (!is_label(label)) return wrong(quoted(text) + " is no host name");
            fixed += lowered(label);
        }
        if (dot == std::string_view::npos) break;
        fixed += '.';
        rest.remove_prefix(dot + 1);
    }
    if (!fixed.empty()) into.host.push_back(Part{std::move(fixed), -1});
    const bool literal = into.host.size() == 1 && into.host.front().binding < 0;
    if (literal && is_number(label) && !Address::parse(text)) return wrong(quoted(text) + " is no IPv4 address");
    return {};
}

Result<> parse_authority(std::string_view text, const Names* names, Destination& into)
{
    if (text.find('@') != std::string_view::npos) return wrong("cannot have a user name in the URL");
    if (text.empty()) return wrong("has no host in the URL");
    std::size_t end = 1;
    if (text.front() == '[') {
        end = text.find(']');
        const auto address = Address::parse(text.substr(1, end == std::string_view::npos ? end : end - 1));
        if (end == std::string_view::npos || !address || !address->is_v6())
            return wrong(quoted(text) + " is no IPv6 address in brackets");
        into.host.push_back(Part{address->text(), -1});
        if (++end < text.size() && text[end] != ':') return wrong(quoted(text) + " goes on behind the address");
    } else {
        // A colon at the beginning of a label is a binding's, any other the port's.
        while (end < text.size() && (text[end] != ':' || text[end - 1] == '.')) ++end;
        if (const auto host = parse_host(text.substr(0, end), names, into); !host) return host.error();
    }
    if (end >= text.size()) return {};
    return parse_port(text.substr(end + 1), names, into);
}

Result<> parse_path(std::string_view text, const Names* names, Destination& into)
{
    into.has_path = true;
    std::string fixed = "/";
    std::size_t offset = 0;
    for (auto segment = next_segment(text, offset); !segment.empty(); segment = next_segment(text, offset)) {
        if (fixed.empty() || fixed.back() != '/') fixed += '/';
        if (segment.front() == ':') {
            const auto name = known_name(segment, names);
            if (!name) return name.error();
            into.path.push_back(Part{std::exchange(fixed, {}), -1});
            into.path.push_back(Part{{}, *name});
            continue;
        }
        auto normal = normal_segment(segment);
        if (!normal) return normal.error();
        fixed += *normal;
    }
    if (text.back() == '/' && (fixed.empty() || fixed.back() != '/')) fixed += '/';
    if (!fixed.empty()) into.path.push_back(Part{std::move(fixed), -1});
    return {};
}

Result<> parse_tail(std::string_view text, const Names* names, Destination& into)
{
    if (text.find('#') != std::string_view::npos) return wrong("cannot have a fragment ('#') in the URL");
    const auto mark = text.find('?');
    if (mark != std::string_view::npos && mark + 1 < text.size()) {
        into.query = text.substr(mark);
        const auto plain = [](char c) { return c > 0x20 && c < 0x7f; };
        if (!std::all_of(into.query.begin(), into.query.end(), plain))
            return wrong("has a query with bytes that must be percent-encoded");
    }
    const auto path = text.substr(0, mark);
    if (path.empty() && !into.query.empty()) return wrong("has a query behind the host: write '/' before the '?'");
    return path.empty() ? Result<>{} : parse_path(path, names, into);
}

Result<> parse_url(std::string_view text, const Names* names, Destination& into)
{
    const auto start = text.find("://");
    into.scheme = lowered(text.substr(0, start)) + "://";
    auto rest = text.substr(start + 3);
    const auto tail = std::min(rest.find_first_of("/?#"), rest.size());
    if (const auto host = parse_authority(rest.substr(0, tail), names, into); !host) return host.error();
    return parse_tail(rest.substr(tail), names, into);
}

bool is_url(std::string_view text)
{
    const auto scheme = lowered(text.substr(0, text.find("://")));
    return (scheme == "http" || scheme == "https") && text.size() > scheme.size();
}

Result<Destination> parse_redirect(std::string_view text, const Names* names)
{
    Destination to;
    to.action = Action::redirect;
    to.status = 302;
    if (const auto space = text.find(' '); space != std::string_view::npos) {
        to.status = number_from(text.substr(0, space));
        if (std::find(redirect_statuses.begin(), redirect_statuses.end(), to.status) == redirect_statuses.end())
            return wrong(quoted(text.substr(0, space)) + " is no status of a redirect: 301, 302, 303, 307 or 308");
        text.remove_prefix(std::min(text.find_first_not_of(' ', space), text.size()));
    }
    if (is_url(text)) {
        if (const auto url = parse_url(text, names, to); !url) return url.error();
        return to;
    }
    if (text.empty() || text.front() != '/' || text.substr(0, 2) == "//")
        return wrong("must redirect to a URL (\"redirect:https://www.example.org\") or a path (\"redirect:/new\")");
    if (const auto path = parse_tail(text, names, to); !path) return path.error();
    return to;
}

Result<Destination> parse_respond(std::string_view text)
{
    Destination to;
    to.action = Action::respond;
    const auto space = std::min(text.find(' '), text.size());
    to.status = space == 3 ? number_from(text.substr(0, space)) : -1;
    if (to.status < 200 || to.status > 599)
        return wrong("must respond with a status from 200 to 599, like \"respond:404 Not here\"");
    to.text = text.substr(std::min(space + 1, text.size()));
    if (to.text.size() > max_text_bytes)
        return wrong("has a text longer than " + std::to_string(max_text_bytes) + " bytes");
    if (!to.text.empty() && (to.status == 204 || to.status == 205 || to.status == 304))
        return wrong("has a text, but a response " + std::to_string(to.status) + " has no body");
    return to;
}

Error unknown(std::string_view text)
{
    static constexpr std::array<std::string_view, 8> words{"original", "deny",   "redirect", "respond",
                                                           "pool",     "tunnel", "http",     "https"};
    const auto colon = text.find(':');
    const auto word = text.substr(0, colon);
    const auto near = nearest(word, words);
    const bool alike = !near.empty() && near != word;
    const bool takes_more = near != "original" && near != "deny";
    const bool looks_like_host = word.find('.') != std::string_view::npos || word == "localhost";
    auto what = quoted(text) + " is nowhere to go";
    if (alike && takes_more == (colon != std::string_view::npos))
        return wrong(
            what + ", did you mean " +
            quoted(std::string{near} + std::string{colon == std::string_view::npos ? "" : text.substr(colon)}) + "?");
    if (looks_like_host && text.find("://") == std::string_view::npos)
        return wrong(what + ", did you mean " + quoted("http://" + std::string{text}) + "?");
    return wrong(what + ": write a URL (http:// or https://), original, deny, redirect:URL or respond:STATUS");
}

} // namespace

bool Destination::is_bound_to_client() const
{
    return port_binding >= 0 ||
           std::any_of(host.begin(), host.end(), [](const Part& part) { return part.binding >= 0; });
}

Result<Destination> parse_destination(std::string_view text, const Names* names)
{
    if (text.empty()) return wrong("is missing: write a URL, original, deny, redirect:URL or respond:STATUS");
    Destination to;
    if (text == "original") {
        to.action = Action::forward_original;
        return to;
    }
    if (text == "deny") return to;
    if (text.starts_with("redirect:")) return parse_redirect(text.substr(9), names);
    if (text.starts_with("respond:")) return parse_respond(text.substr(8));
    if (text.starts_with("tunnel:")) return wrong(quoted(text) + " is not supported yet");
    if (text.starts_with("pool:")) {
        if (text.size() == 5) return wrong("\"pool:\" needs the name of a pool behind it");
        to.action = Action::forward_pool;
        return to;
    }
    if (!is_url(text)) return unknown(text);
    to.action = Action::forward_url;
    if (const auto url = parse_url(text, names, to); !url) return url.error();
    if (to.port == 0 && to.port_binding < 0) to.port = to.scheme == "https://" ? 443 : 80;
    return to;
}

} // namespace gw::route
