#pragma once

#include "gateway/route/table.h"

#include <gtest/gtest.h>

namespace gw::route {

inline RouteSettings route(std::string host, std::string path, std::string method, std::string to,
                           std::vector<std::string> listeners = {})
{
    RouteSettings settings;
    settings.host = std::move(host);
    settings.path = std::move(path);
    settings.method = std::move(method);
    settings.to = std::move(to);
    settings.listeners = std::move(listeners);
    return settings;
}

/// For routes that are right.
inline Table table(std::vector<RouteSettings> routes)
{
    auto built = Table::build(std::move(routes));
    if (auto* problems = std::get_if<Problems>(&built))
        for (const auto& problem : *problems) ADD_FAILURE() << problem.path << ": " << problem.what;
    return std::move(std::get<Table>(built));
}

inline Decision decide(const Table& table, const Request& request, Action otherwise = Action::deny)
{
    Decision decision, explained;
    table.decide(request, otherwise, decision);
    table.explain(request, otherwise, explained);
    EXPECT_EQ(decision.route, explained.route) << "explain disagrees";
    EXPECT_EQ(decision.target, explained.target) << "explain disagrees";
    return decision;
}

/// Where a request goes, as one line: a URL, "302 LOCATION", "404 TEXT", "original", "deny".
inline std::string way(const Decision& decision)
{
    const bool v6 = decision.host.find(':') != std::string::npos;
    const auto standard = decision.tls ? 443 : 80;
    switch (decision.action) {
    case Action::forward_original: return "original";
    case Action::forward_url:
        return (decision.tls ? "https://" : "http://") + (v6 ? "[" + decision.host + "]" : decision.host) +
               (decision.port == standard ? "" : ":" + std::to_string(decision.port)) + decision.target;
    case Action::forward_pool: return "pool";
    case Action::redirect:
    case Action::respond: return std::to_string(decision.status) + " " + decision.text;
    case Action::deny: break;
    }
    return "deny";
}

/// "host/path?query" -> Request; the views live as long as `url`.
inline Request request(std::string_view url, std::string_view method = "GET", std::string_view listener = "web")
{
    const auto slash = std::min(url.find('/'), url.size());
    const auto path = url.substr(slash);
    const auto mark = std::min(path.find('?'), path.size());
    return {url.substr(0, slash), path.substr(0, mark), path.substr(mark), method, listener};
}

} // namespace gw::route
