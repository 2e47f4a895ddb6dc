#include "gateway/route/index.h"

namespace gw::route {

int RouteIndex::make_node()
{
    nodes_.emplace_back();
    return static_cast<int>(nodes_.size()) - 1;
}

int RouteIndex::grow(int from, std::string_view text, bool bound, int route)
{
    auto next = bound ? node(from).bound : child(from, text);
    if (next == nowhere) {
        next = make_node();
        if (bound)
            nodes_[static_cast<std::size_t>(from)].bound = next;
        else
            edges_.emplace(Edge{from, text}, next);
    }
    auto& lowest = nodes_[static_cast<std::size_t>(next)].lowest;
    lowest = std::min(lowest, route);
    return next;
}

int RouteIndex::paths_of_host(const HostPattern& host, int route)
{
    if (host.kind == HostPattern::Kind::any) return any_host_;
    if (host.kind == HostPattern::Kind::exact) {
        const auto [place, is_new] = exact_.try_emplace(host.text, nowhere);
        if (is_new) place->second = make_node();
        return place->second;
    }
    auto at = host_root_;
    for (auto label = host.labels.rbegin(); label != host.labels.rend(); ++label)
        at = grow(at, label->text, label->binding >= 0, route);
    if (node(at).paths == nowhere) {
        const auto made = make_node();
        nodes_[static_cast<std::size_t>(at)].paths = made;
    }
    return node(at).paths;
}

void RouteIndex::add(const Compiled& route, int number)
{
    auto at = paths_of_host(route.host, number);
    auto& root = nodes_[static_cast<std::size_t>(at)];
    root.lowest = std::min(root.lowest, number);
    for (const auto& part : route.path.segments) at = grow(at, part.text, part.binding >= 0, number);
    nodes_[static_cast<std::size_t>(at)].routes.push_back(number);
}

RouteIndex::RouteIndex(std::span<const Compiled> routes)
{
    host_root_ = make_node();
    any_host_ = make_node();
    nodes_[static_cast<std::size_t>(host_root_)].lowest = 0;
    for (std::size_t number = 0; number < routes.size(); ++number) add(routes[number], static_cast<int>(number));
}

} // namespace gw::route
