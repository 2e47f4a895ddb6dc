#include "gateway/route/compiled.h"

#include "gateway/route/suggest.h"

#include <algorithm>
#include <array>

namespace gw::route {

namespace {

/// RFC 9110 section 5.6.2: token.
bool is_token(std::string_view text)
{
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (c != '\0' && marks.find(c) != marks.npos);
    });
}

/// Methods are told apart by case; in a configuration "get" can only mean GET.
std::string upper(std::string_view text)
{
    std::string high{text};
    std::transform(high.begin(), high.end(), high.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return high;
}

std::string misspelt_method(std::string_view method)
{
    static constexpr std::array<std::string_view, 9> known{"GET",    "HEAD",    "POST",    "PUT",  "PATCH",
                                                           "DELETE", "OPTIONS", "CONNECT", "TRACE"};
    const auto near = nearest(method, known);
    return near.empty() || near == method ? std::string{} : std::string{near};
}

class Complaints {
public:
    Complaints(const RouteSettings& route, std::size_t index, Problems& problems)
        : where_(route.where), path_("routes[" + std::to_string(index) + "]."), problems_(problems)
    {}
    void add(std::string_view key, std::string what)
    {
        problems_.push_back(Problem{where_, path_ + std::string{key}, std::move(what)});
    }

private:
    const Position& where_;
    std::string path_;
    Problems& problems_;
};

} // namespace

Compiled compile(const RouteSettings& route, std::size_t index, Problems& problems)
{
    Complaints complaints{route, index, problems};
    Compiled compiled;
    auto host = parse_host_pattern(route.host, compiled.names);
    auto path = parse_path_pattern(route.path, compiled.names);
    if (!host) complaints.add("host", host.error().what);
    if (!path) complaints.add("path", path.error().what);
    if (route.method != "_") compiled.method = upper(route.method);
    if (!is_token(route.method)) complaints.add("method", "must be a method like GET, or \"_\" for any");
    // A near miss of a known method is taken as a mistake: no registered method is one letter away from another, but
    // PUT and the like are short, so only what is not registered and longer is looked at.
    if (const auto meant = misspelt_method(compiled.method);
        compiled.method.size() > 3 && !meant.empty() && meant.size() > 3)
        complaints.add("method",
                       '"' + route.method + "\" is no method that is in use, did you mean \"" + meant + "\"?");
    if (route.timeout.count() <= 0) complaints.add("timeout", "must be longer than nothing");
    compiled.listeners = route.listeners;
    // With a broken pattern, complaints about names it does not bind would only mislead.
    auto to = parse_destination(route.to, host && path ? &compiled.names : nullptr);
    if (!to) complaints.add("to", to.error().what);
    if (host) compiled.host = std::move(*host);
    if (path) compiled.path = std::move(*path);
    if (to) compiled.to = std::move(*to);
    return compiled;
}

bool takes_listener(const Compiled& route, std::string_view listener)
{
    if (route.listeners.empty()) return true;
    return std::any_of(route.listeners.begin(), route.listeners.end(),
                       [&](const auto& name) { return name == listener; });
}

bool matches(const Compiled& route, const Request& request, Match& match)
{
    if (!route.method.empty() && route.method != request.method) return false;
    if (!takes_listener(route, request.listener)) return false;
    match.bindings.clear(route.names.size());
    if (!fits(route.host, request.host, match.bindings)) return false;
    const auto taken = fits(route.path, request.path, match.bindings);
    if (!taken) return false;
    match.taken = *taken;
    return route.names.empty() || can_hold(route.to, match.bindings, nullptr);
}

bool matches_name(const Compiled& route, const Request& request, Match& match)
{
    return route.method.empty() && route.path.segments.empty() && matches(route, request, match);
}

} // namespace gw::route
