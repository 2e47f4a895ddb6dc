#pragma once

#include "gateway/route/compiled.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <span>
#include <unordered_map>

namespace gw::route {

/// Finds the first route that matches without looking at them all. A trie of host labels, from the right, leads to the
/// roots of tries of path segments, whose nodes hold routes. Whole literal hosts take a short way through a hash map.
/// Only candidates come from here; whether one matches is for `accept` to say.
class RouteIndex {
public:
    /// The routes must stay where they are for as long as this lives.
    explicit RouteIndex(std::span<const Compiled> routes);

    /// The lowest number of a route that `accept(number)` takes, among those that may fit; -1: none. Calls `accept`
    /// with every number at most once, and last with the one it gives back only by chance.
    template <class Accept> int first(std::string_view host, std::string_view path, Accept&& accept) const
    {
        Search<Accept> search{*this, path, accept};
        if (const auto found = exact_.find(host); found != exact_.end()) search.paths(found->second, 0);
        search.hosts(host_root_, host);
        search.paths(any_host_, 0);
        return search.best == none ? -1 : search.best;
    }

private:
    static constexpr int none = std::numeric_limits<int>::max();
    static constexpr int nowhere = -1;

    /// Of either trie. The children by their text are in `edges_`.
    struct Node {
        int lowest = none;         ///< of the routes here and below
        int bound = nowhere;       ///< the child for any one segment or label
        int paths = nowhere;       ///< host: the path trie when the host ends here
        std::vector<int> routes{}; ///< path: ascending
    };
    struct Edge {
        int from;
        std::string_view text;
        friend bool operator==(const Edge&, const Edge&) = default;
    };
    struct EdgeHash {
        std::size_t operator()(const Edge& edge) const noexcept
        {
            return std::hash<std::string_view>{}(edge.text) ^
                   (static_cast<std::size_t>(edge.from) * 0x9e3779b97f4a7c15U);
        }
    };

    // How deep it goes is bounded by the patterns, never by the request.
    template <class Accept> struct Search {
        const RouteIndex& index;
        std::string_view path;
        Accept& accept;
        int best = none;

        void paths(int at, std::size_t offset)
        {
            if (at == nowhere) return;
            const auto& node = index.node(at);
            if (node.lowest >= best) return;
            for (const auto route : node.routes) {
                if (route >= best) break;
                if (accept(route)) best = route;
            }
            const auto segment = next_segment(path, offset);
            if (segment.empty()) return;
            paths(index.child(at, segment), offset);
            paths(node.bound, offset);
        }

        void hosts(int at, std::string_view left)
        {
            if (at == nowhere) return;
            const auto& node = index.node(at);
            if (node.lowest >= best) return;
            if (left.empty()) return paths(node.paths, 0);
            const auto dot = left.rfind('.');
            const auto label = dot == std::string_view::npos ? left : left.substr(dot + 1);
            const auto rest = dot == std::string_view::npos ? std::string_view{} : left.substr(0, dot);
            hosts(index.child(at, label), rest);
            hosts(node.bound, rest);
        }
    };

    const Node& node(int at) const { return nodes_[static_cast<std::size_t>(at)]; }
    int child(int from, std::string_view text) const
    {
        const auto found = edges_.find(Edge{from, text});
        return found == edges_.end() ? nowhere : found->second;
    }
    int make_node();
    /// The child of `from` for this part, made when there is none; `route` is below it.
    int grow(int from, std::string_view text, bool bound, int route);
    int paths_of_host(const HostPattern& host, int route);
    void add(const Compiled& route, int number);

    std::vector<Node> nodes_;
    std::unordered_map<Edge, int, EdgeHash> edges_;
    std::unordered_map<std::string_view, int> exact_;
    int host_root_ = nowhere;
    int any_host_ = nowhere;
};

} // namespace gw::route
