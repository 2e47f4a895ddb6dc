#include "gateway/config/encoding.h"
#include "gateway/config/rules.h"
#include "gateway/config/suggest.h"

#include <algorithm>
#include <unordered_map>

namespace gw::config {

namespace {

class PoolChecks {
public:
    PoolChecks(Draft& draft, Report& report) : draft_{draft}, report_{report}
    {
        for (const auto& pool : pools()) names_.emplace(pool.name, names_.size());
    }

    void check_listeners()
    {
        for (std::size_t at = 0; at < listeners().size(); ++at) {
            auto& listener = listeners()[at];
            const auto& notes = draft_.listeners[at];
            const auto path = "listeners[" + std::to_string(at) + "].";
            if (listener.otherwise == intake::Otherwise::pool)
                find(listener.pool_name, *notes.otherwise, path + "default", listener.pool);
            if (listener.proxy_protocol) check_header(listener, notes, path);
        }
    }

    void check_routes()
    {
        for (std::size_t at = 0; at < draft_.routes.size() && !report_.full(); ++at) {
            const auto* to = draft_.routes[at].to;
            if (to == nullptr || !to->text.starts_with("pool:")) continue;
            find(to->text.substr(5), *to, "routes[" + std::to_string(at) + "].to",
                 draft_.settings.route_extras[at].pool);
        }
    }

private:
    std::vector<intake::ListenerSettings>& listeners() { return draft_.settings.listeners; }
    const std::vector<upstream::PoolSettings>& pools() const { return draft_.settings.pools; }

    void find(const std::string& name, const Node& node, std::string path, std::size_t& number)
    {
        const auto found = names_.find(name);
        if (found != names_.end()) {
            number = found->second;
            return;
        }
        if (!pools().empty() && !draft_.pools_named) return; // what is wrong with them is said already
        std::vector<std::string_view> known;
        for (const auto& pool : pools()) known.push_back(pool.name);
        report_.add(node.place, std::move(path),
                    "no pool is called " + in_quotes(name) +
                        (pools().empty() ? "; there are none under \"pools\"" : did_you_mean(name, known)));
    }

    void check_header(intake::ListenerSettings& listener, const ListenerNotes& notes, const std::string& path)
    {
        const auto& here = notes.proxy_protocol->place;
        if (listener.intercept) {
            report_.add(
                here, path + "proxy_protocol",
                "needs \"bind\": a connection that is taken over on its way was not meant for the gateway, and has "
                "no header for it");
            return;
        }
        if (listener.proxy_protocol->trusted.empty())
            warn(here, path + "proxy_protocol.trusted",
                 "nobody is trusted to send a PROXY header, so every connection is refused");
        listener.serves_nobody = listener.otherwise == intake::Otherwise::deny && !has_route(listener);
        if (listener.serves_nobody)
            warn(
                here, path + "proxy_protocol",
                "no service stands behind the listener \"" + listener.name +
                    "\": its connections are dropped once their PROXY header is read; give it default: pool:NAME, or a "
                    "route");
    }

    bool has_route(const intake::ListenerSettings& listener) const
    {
        const auto& routes = draft_.settings.routes;
        return std::any_of(routes.begin(), routes.end(), [&](const route::RouteSettings& route) {
            const auto& only = route.listeners;
            return listener.protocol != intake::Protocol::tcp &&
                   (only.empty() || std::find(only.begin(), only.end(), listener.name) != only.end());
        });
    }

    void warn(const Place& place, std::string path, std::string what)
    {
        draft_.settings.warnings.push_back({draft_.position(place), std::move(path), std::move(what)});
    }

    Draft& draft_;
    Report& report_;
    std::unordered_map<std::string, std::size_t> names_;
};

} // namespace

void check_pools(Draft& draft, Report& report)
{
    PoolChecks checks{draft, report};
    checks.check_listeners();
    checks.check_routes();
}

} // namespace gw::config
