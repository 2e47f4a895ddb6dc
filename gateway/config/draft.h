#pragma once

#include "gateway/config/config.h"
#include "gateway/config/node.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gw::config {

/// A WAF policy as written: only what was said.
struct PolicyDraft {
    std::optional<waf::Mode> mode;
    std::optional<int> paranoia;
    std::optional<int> request_threshold;
    std::optional<int> response_threshold;
    std::vector<std::uint32_t> disable_rules;
    std::map<std::uint32_t, std::vector<std::string>> disable_targets;
};

/// Where the parts of a listener stand, for what is said of them later. Null: not written.
struct ListenerNotes {
    const Node* entry = nullptr;
    const Node* name = nullptr;
    const Node* bind = nullptr;
    const Node* protocol = nullptr;
    const Node* client_address = nullptr;
    const Node* otherwise = nullptr;
    const Node* proxy_protocol = nullptr;
};

struct RouteNotes {
    const Node* entry = nullptr;
    const Node* to = nullptr;
    const Node* listeners = nullptr;
    PolicyDraft policy;
};

/// What the tables of the vocabulary write into.
struct Draft {
    const Sources& sources;
    Settings settings;
    std::vector<ListenerNotes> listeners; ///< as settings.listeners
    std::vector<RouteNotes> routes;       ///< as settings.routes
    PolicyDraft policy;                   ///< the global one
    const Node* kernel = nullptr;
    const Node* metrics = nullptr;
    bool pools_named = false; ///< `pools:` was read and fits

    PolicyDraft* in_policy = &policy; ///< the one being read
    filters::HeaderEdits* in_edits = nullptr;

    explicit Draft(const Sources& from) : sources{from} {}
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;

    intake::ListenerSettings& listener() { return settings.listeners.back(); }
    netfilter::Intercept& intercept() { return *listener().intercept; }
    upstream::PoolSettings& pool() { return settings.pools.back(); }
    route::RouteSettings& route() { return settings.routes.back(); }
    Position position(const Place& place) const { return {sources[place.file].name, place.line, place.column}; }
};

} // namespace gw::config
