#include "gateway/config/rules.h"

#include "gateway/config/encoding.h"
#include "gateway/config/suggest.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace gw::config {

namespace {

constexpr std::size_t most_comparisons = 20'000'000; // of networks, before the search for shadowed listeners ends

std::string path_of(std::string_view list, std::size_t index, std::string_view key)
{
    return std::string{list} + "[" + std::to_string(index) + "]" + (key.empty() ? "" : ".") + std::string{key};
}

/// Where the client was going is known, beside where it came in.
bool knows_destination(const intake::ListenerSettings& listener)
{
    return (listener.intercept && !listener.takes_datagrams()) || listener.proxy_protocol.has_value();
}

class Checks {
public:
    Checks(Draft& draft, Report& report) : draft_{draft}, report_{report} {}

    void check_names()
    {
        for (std::size_t at = 0; at < listeners().size(); ++at) {
            const auto& notes = draft_.listeners[at];
            const auto [first, fresh] = names_.emplace(listeners()[at].name, at);
            if (fresh) continue;
            const auto& node = notes.name ? *notes.name : *notes.entry;
            report_.add(node.place, path_of("listeners", at, "name"),
                        "the name \"" + listeners()[at].name + "\" belongs to the listener at " +
                            listeners()[first->second].where.text() + " already" +
                            (notes.name ? "" : "; give this one a name"));
        }
    }

    void check_addresses()
    {
        std::map<Endpoint, Place> taken;
        for (std::size_t at = 0; at < listeners().size(); ++at) {
            const auto& bind = listeners()[at].bind;
            for (std::size_t n = 0; n < bind.size(); ++n) {
                const auto path = path_of("listeners", at, "bind") + "[" + std::to_string(n) + "]";
                const auto& node = draft_.listeners[at].bind->items[n];
                take(taken, bind[n], node, path);
                if (listeners()[at].serves_both_families(bind[n])) take(taken, {{}, bind[n].port}, node, path);
            }
        }
        if (draft_.metrics) take(taken, *draft_.settings.control.metrics, *draft_.metrics, "admin.metrics");
    }

    void check_defaults()
    {
        for (std::size_t at = 0; at < listeners().size(); ++at) {
            const auto* written = draft_.listeners[at].otherwise;
            if (!written || written->text != "original" || knows_destination(listeners()[at])) continue;
            report_.add(
                written->place, path_of("listeners", at, "default"),
                "\"original\" needs a destination of the client's own, which a \"bind\" listener sees only with "
                "\"proxy_protocol\"; write deny or pool:NAME");
        }
    }

    /// Who installs rules, and who waits at addresses of this host.
    void check_mechanisms()
    {
        for (std::size_t at = 0; at < listeners().size(); ++at) {
            const auto& listener = listeners()[at];
            const auto& notes = draft_.listeners[at];
            if (!listener.intercept) {
                check_bound_address(at);
                continue;
            }
            const auto* intercept = notes.entry->find("intercept");
            if (listener.is_external()) {
                check_external(at, *intercept);
            } else if (notes.bind) {
                report_.add(notes.bind->place, path_of("listeners", at, "bind"),
                            "goes with \"intercept\" only where others' rules lead (mode: external): in this mode the "
                            "gateway chooses where it waits; leave it out, or make it a listener of its own");
            }
        }
    }

    void check_datagrams()
    {
        for (std::size_t at = 0; at < listeners().size(); ++at) {
            const auto& listener = listeners()[at];
            const auto& notes = draft_.listeners[at];
            const bool udp = listener.protocol == intake::Protocol::udp;
            if (notes.protocol && udp != listener.takes_datagrams())
                report_.add(notes.protocol->place, path_of("listeners", at, "protocol"),
                            udp ? listener.intercept ? "\"udp\" goes with \"transport: udp\" in \"intercept\""
                                                     : "\"udp\" with \"bind\" is not supported yet; take UDP over with "
                                                       "\"intercept: {transport: udp}\""
                                : in_quotes(notes.protocol->text) +
                                      " does not go with \"transport: udp\"; leave it out, or write udp");
            if (listener.takes_datagrams() && listener.intercept->mode != netfilter::Mode::tproxy)
                report_.add(notes.entry->place, path_of("listeners", at, "intercept.mode"),
                            "with \"transport: udp\" only \"tproxy\" is supported: behind a changed destination the "
                            "original one cannot be told for each datagram");
        }
    }

    void check_shadows()
    {
        for (std::size_t later = 1; later < listeners().size(); ++later)
            for (std::size_t earlier = 0; earlier < later; ++earlier) {
                if (comparisons_ > most_comparisons) return;
                const auto &first = listeners()[earlier].intercept, &second = listeners()[later].intercept;
                if (!first || !second || !covers(*first, *second)) continue;
                if (listeners()[earlier].is_external() || listeners()[later].is_external()) continue;
                report_.add(draft_.listeners[later].entry->place, path_of("listeners", later, ""),
                            "never gets a connection: the listener \"" + listeners()[earlier].name + "\" at " +
                                listeners()[earlier].where.text() + " takes all of them; put this one before it");
                break;
            }
    }

    void check_routes()
    {
        for (std::size_t at = 0; at < draft_.routes.size() && !report_.full(); ++at) {
            check_route_listeners(at);
            check_route_original(at);
        }
    }

    void check_kernel()
    {
        if (!draft_.kernel) return;
        const auto& kernel = draft_.settings.netfilter;
        require(((kernel.captured_mark & ~kernel.mark_mask) == 0), "captured_mark",
                "has bits that are not in mark_mask");
        require(((kernel.own_mark & ~kernel.mark_mask) == 0), "own_mark", "has bits that are not in mark_mask");
        require(kernel.own_mark != kernel.captured_mark, "own_mark", "must differ from captured_mark");
        const bool reserved = kernel.route_table >= 253 && kernel.route_table <= 255;
        require(!reserved, "route_table", "253, 254 and 255 are the kernel's own tables");
        require(kernel.backend != netfilter::Backend::iptables || kernel.table.size() <= netfilter::max_chain_prefix,
                "table", "has more than 14 letters, which leaves too few for the names of iptables' chains");
    }

private:
    const std::vector<intake::ListenerSettings>& listeners() const { return draft_.settings.listeners; }

    void take(std::map<Endpoint, Place>& taken, const Endpoint& endpoint, const Node& node, std::string path)
    {
        if (endpoint.port == 0) return;
        const auto [first, fresh] = taken.emplace(endpoint, node.place);
        if (fresh) return;
        report_.add(node.place, std::move(path),
                    endpoint.text() + " is taken already, at " + draft_.position(first->second).text());
    }

    /// Nothing leads the upstream's answers to a client's address back to a connection that was not taken over.
    void check_bound_address(std::size_t at)
    {
        const auto& listener = listeners()[at];
        const auto* written = draft_.listeners[at].client_address;
        if (!written || listener.client_address == intake::ClientAddress::gateway) return;
        const auto path = path_of("listeners", at, "client_address");
        if (listener.proxy_protocol)
            report_.add(written->place, path,
                        in_quotes(written->text) +
                            " is not supported yet with \"proxy_protocol\"; send_proxy of a pool tells the server who "
                            "the client is");
        else
            report_.add(written->place, path,
                        in_quotes(written->text) +
                            " needs \"intercept\": with \"bind\" alone the upstream sees the gateway's address; leave "
                            "it out, or write gateway");
    }

    void check_external(std::size_t at, const Node& intercept)
    {
        const auto& notes = draft_.listeners[at];
        if (!notes.bind)
            report_.add(intercept.place, path_of("listeners", at, ""),
                        "mode: external needs \"bind\": the addresses of this host that the rules made elsewhere lead "
                        "to, such as bind: [\"0.0.0.0:15001\"]");
        for (const std::string_view key : {"interfaces", "when_down"}) {
            const auto* node = intercept.find(key);
            if (!node) continue;
            report_.add(node->place, path_of("listeners", at, "intercept") + "." + std::string{key},
                        "has no meaning with mode: external, where the gateway installs no rules: say it in the rules "
                        "that lead here");
        }
        if (!notes.bind) return;
        const auto& bind = listeners()[at].bind;
        for (std::size_t n = 0; n < bind.size(); ++n)
            if (bind[n].port == 0)
                report_.add(notes.bind->items[n].place,
                            path_of("listeners", at, "bind") + "[" + std::to_string(n) + "]",
                            "needs a port: rules that are made elsewhere lead to one that does not change");
    }

    /// Whether nothing of `second` is left when `first` has taken its part.
    bool covers(const netfilter::Intercept& first, const netfilter::Intercept& second)
    {
        const auto has = [](const auto& all, const auto& one) {
            return std::find(all.begin(), all.end(), one) != all.end();
        };
        const auto each = [](const auto& all, auto holds) { return std::all_of(all.begin(), all.end(), holds); };
        const auto inside = [&](const auto& outer, const auto& inner) {
            return std::any_of(outer.begin(), outer.end(), [&](const Network& network) {
                ++comparisons_;
                return network.prefix <= inner.prefix && network.contains(inner.address);
            });
        };
        if (second.to.empty() || second.ports.empty()) return false; // reported already
        if (first.transport != second.transport) return false;
        if (!first.interfaces.empty() && second.interfaces.empty()) return false;
        if (!first.interfaces.empty() &&
            !each(second.interfaces, [&](auto& name) { return has(first.interfaces, name); }))
            return false;
        const bool ports = each(second.ports, [&](const auto& inner) {
            return std::any_of(first.ports.begin(), first.ports.end(), [&](const auto& outer) {
                return outer.first <= inner.first && inner.last <= outer.last;
            });
        });
        return ports && each(first.except_from, [&](auto& network) { return inside(second.except_from, network); }) &&
               each(first.except_to, [&](auto& network) { return inside(second.except_to, network); }) &&
               each(second.to, [&](auto& network) { return inside(first.to, network); });
    }

    void check_route_listeners(std::size_t at)
    {
        const auto* named = draft_.routes[at].listeners;
        if (!named) return;
        for (std::size_t n = 0; n < named->items.size(); ++n) {
            const auto& name = named->items[n];
            if (const auto known = names_.find(name.text); known != names_.end()) {
                if (listeners()[known->second].takes_datagrams())
                    report_.add(name.place, path_of("routes", at, "listeners") + "[" + std::to_string(n) + "]",
                                in_quotes(name.text) + " takes UDP, and routes are for HTTP and TLS");
                continue;
            }
            std::vector<std::string_view> known;
            for (const auto& listener : listeners()) known.push_back(listener.name);
            report_.add(name.place, path_of("routes", at, "listeners") + "[" + std::to_string(n) + "]",
                        "no listener is called " + in_quotes(name.text) + did_you_mean(name.text, known));
        }
    }

    void check_route_original(std::size_t at)
    {
        const auto& notes = draft_.routes[at];
        if (!notes.to || notes.to->text != "original" || listeners().empty()) return;
        const auto intercepts = [&](const intake::ListenerSettings& listener) {
            const auto& only = draft_.settings.routes[at].listeners;
            const bool served = only.empty() || std::find(only.begin(), only.end(), listener.name) != only.end();
            return served && knows_destination(listener);
        };
        if (any_intercepts_ && !notes.listeners) return;
        if (std::any_of(listeners().begin(), listeners().end(), intercepts)) return;
        report_.add(notes.to->place, path_of("routes", at, "to"),
                    "\"original\" needs a listener with \"intercept\" or \"proxy_protocol\"; the listeners of this "
                    "route have none");
    }

    void require(bool holds, std::string_view key, std::string what)
    {
        if (holds) return;
        const auto* node = draft_.kernel->find(key);
        report_.add(node ? node->place : draft_.kernel->place, "kernel." + std::string{key}, std::move(what));
    }

    Draft& draft_;
    Report& report_;
    std::unordered_map<std::string, std::size_t> names_;
    std::size_t comparisons_ = 0;
    bool any_intercepts_ =
        std::any_of(draft_.settings.listeners.begin(), draft_.settings.listeners.end(), knows_destination);
};

} // namespace

void check_together(Draft& draft, Report& report)
{
    Checks checks{draft, report};
    checks.check_names();
    checks.check_addresses();
    checks.check_defaults();
    checks.check_mechanisms();
    checks.check_datagrams();
    checks.check_shadows();
    checks.check_routes();
    checks.check_kernel();
}

} // namespace gw::config
