// Why a route fits or not, in words. What agrees is said too, so that a near miss can be seen:
// "path /shop matches, but method GET is not POST".
#include "gateway/base/log.h"
#include "gateway/route/compiled.h"

#include <algorithm>

namespace gw::route {

namespace {

std::string shown(std::string_view text)
{
    std::string safe = "\"";
    log::append_plain(safe, text.substr(0, 200));
    if (text.size() > 200) safe += "...";
    return safe + '"';
}

std::string plain(std::string_view text)
{
    const auto safe = shown(text);
    return safe.substr(1, safe.size() - 2);
}

std::string joined(const std::vector<std::string>& words, std::string_view between, std::string_view last)
{
    std::string text;
    for (std::size_t at = 0; at < words.size(); ++at) {
        if (at > 0) text += at + 1 == words.size() ? last : between;
        text += words[at];
    }
    return text;
}

struct Findings {
    std::vector<std::string> agree;
    std::vector<std::string> differ;
};

bool same_but_for_case(std::string_view one, std::string_view other)
{
    const auto low = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return one.size() == other.size() &&
           std::equal(one.begin(), one.end(), other.begin(), [&](char a, char b) { return low(a) == low(b); });
}

void look_at_listener(const Compiled& route, const Request& request, Findings& into)
{
    if (route.listeners.empty()) return;
    if (takes_listener(route, request.listener))
        into.agree.push_back("listener " + plain(request.listener));
    else
        into.differ.push_back("listener " + shown(request.listener) + " is not " +
                              plain(joined(route.listeners, ", ", " or ")));
}

bool look_at_host(const RouteSettings& settings, const Compiled& route, const Request& request, Bindings& bindings,
                  Findings& into)
{
    if (route.host.kind == HostPattern::Kind::any) return true;
    if (fits(route.host, request.host, bindings)) {
        into.agree.push_back("host " + plain(request.host));
        return true;
    }
    auto what = request.host.empty() ? std::string{"no host was given, and it"} : "host " + shown(request.host);
    if (route.host.kind == HostPattern::Kind::labels)
        what += " does not fit " + shown(settings.host) + ", label by label";
    else
        what += " is not " + shown(settings.host);
    into.differ.push_back(std::move(what));
    return false;
}

bool look_at_path(const RouteSettings& settings, const Compiled& route, const Request& request, Bindings& bindings,
                  Findings& into)
{
    if (route.path.segments.empty()) return true;
    if (fits(route.path, request.path, bindings)) {
        into.agree.push_back("path " + plain(settings.path));
        return true;
    }
    const auto beginning = request.path.substr(0, settings.path.size());
    const bool case_only = same_but_for_case(beginning, settings.path) && beginning != settings.path;
    into.differ.push_back("path " + shown(request.path) +
                          (case_only ? " differs in upper and lower case from " : " is not under ") +
                          shown(settings.path));
    return false;
}

void look_at_method(const Compiled& route, const Request& request, Findings& into)
{
    if (route.method.empty()) return;
    if (route.method == request.method)
        into.agree.push_back("method " + plain(request.method));
    else
        into.differ.push_back("method " + plain(request.method) + " is not " + route.method);
}

/// Host and path fit, each for itself: what of names that are in both, or go into the destination's host?
void look_at_names(const Compiled& route, const Bindings& of_host, const Bindings& of_path, Findings& into)
{
    Bindings both;
    for (int name = 0; name < static_cast<int>(route.names.size()); ++name) {
        const auto label = ":" + route.names[static_cast<std::size_t>(name)];
        if (!of_host[name].empty()) both.bind(name, of_host[name]);
        if (!of_path[name].empty() && !both.bind(name, of_path[name]))
            into.differ.push_back(label + " would have to be " + shown(of_host[name]) + " (host) and " +
                                  shown(of_path[name]) + " (path)");
    }
    int unfit = -1;
    if (into.differ.empty() && !can_hold(route.to, both, &unfit) && unfit >= 0)
        into.differ.push_back(":" + route.names[static_cast<std::size_t>(unfit)] + " is " + shown(both[unfit]) +
                              ", which cannot stand in the destination's host or port");
}

} // namespace

std::string reason(const RouteSettings& settings, const Compiled& route, const Request& request)
{
    Findings found;
    Bindings of_host, of_path;
    look_at_listener(route, request, found);
    const bool host = look_at_host(settings, route, request, of_host, found);
    const bool path = look_at_path(settings, route, request, of_path, found);
    look_at_method(route, request, found);
    if (host && path && !route.names.empty()) look_at_names(route, of_host, of_path, found);

    const auto agree = joined(found.agree, ", ", " and ");
    const auto verb = found.agree.size() == 1 ? " matches" : " match";
    if (found.differ.empty()) return agree.empty() ? std::string{"matches everything"} : agree + verb;
    const auto differ = joined(found.differ, ", ", " and ");
    return agree.empty() ? differ : agree + verb + ", but " + differ;
}

} // namespace gw::route
