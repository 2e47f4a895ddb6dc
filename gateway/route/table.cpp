#include "gateway/route/table.h"

#include "gateway/base/endpoint.h"
#include "gateway/base/log.h"
#include "gateway/route/compiled.h"
#include "gateway/route/index.h"

#include <arpa/inet.h>
#include <array>

namespace gw::route {

namespace {

using AddressText = std::array<char, INET6_ADDRSTRLEN>;

/// An IPv6 address can be written in many ways, and a pattern holds one of them.
std::string_view one_spelling(std::string_view host, AddressText& text)
{
    if (host.find(':') == std::string_view::npos) return host;
    const auto address = Address::parse(host);
    if (!address || !address->is_v6()) return host;
    return inet_ntop(AF_INET6, address->data(), text.data(), static_cast<socklen_t>(text.size()));
}

void begin(Decision& into, Action otherwise)
{
    into.action = otherwise;
    into.route = -1;
    into.tls = false;
    into.host.clear();
    into.port = 0;
    into.host_from_client = false;
    into.target.clear();
    into.text.clear();
    into.status = 0;
}

std::string outcome(const Decision& decision)
{
    const bool v6 = decision.host.find(':') != std::string::npos;
    std::string text;
    switch (decision.action) {
    case Action::forward_original: return "to the original destination";
    case Action::forward_url:
        log::append_plain(text, (v6 ? "[" : "") + decision.host + (v6 ? "]:" : ":") + std::to_string(decision.port) +
                                    decision.target);
        return (decision.tls ? "to https://" : "to http://") + text;
    case Action::forward_pool: return "to the pool";
    case Action::redirect:
        log::append_plain(text, decision.text);
        return "redirected (" + std::to_string(decision.status) + ") to " + text;
    case Action::respond: return "answered " + std::to_string(decision.status);
    case Action::deny: break;
    }
    return "denied";
}

} // namespace

std::string_view name_of(Action action)
{
    switch (action) {
    case Action::forward_original: return "forward_original";
    case Action::forward_url: return "forward_url";
    case Action::forward_pool: return "forward_pool";
    case Action::redirect: return "redirect";
    case Action::respond: return "respond";
    case Action::deny: break;
    }
    return "deny";
}

struct Table::Index {
    Index(std::vector<RouteSettings> routes, std::vector<Compiled> done)
        : settings(std::move(routes)), compiled(std::move(done)), lookup(compiled)
    {}

    std::vector<RouteSettings> settings;
    std::vector<Compiled> compiled;
    RouteIndex lookup;

    template <class Fits> void decide(Request request, Action otherwise, Decision& into, Fits fits_route) const
    {
        begin(into, otherwise);
        AddressText text;
        request.host = one_spelling(request.host, text);
        // A match that is found stays while better ones are looked for.
        std::array<Match, 2> matches_found;
        std::size_t scratch = 0;
        const auto route = lookup.first(request.host, request.path, [&](int number) {
            if (!fits_route(compiled[static_cast<std::size_t>(number)], request, matches_found[scratch])) return false;
            scratch ^= 1;
            return true;
        });
        if (route < 0) return;
        into.route = route;
        const auto& match = matches_found[scratch ^ 1];
        compose(compiled[static_cast<std::size_t>(route)].to, match.bindings, request, match.taken, into);
    }
};

Table::Table(std::unique_ptr<const Index> index) : index_(std::move(index)) {}
Table::Table(Table&&) noexcept = default;
Table& Table::operator=(Table&&) noexcept = default;
Table::~Table() = default;

const std::vector<RouteSettings>& Table::routes() const { return index_->settings; }

std::variant<Table, Problems> Table::build(std::vector<RouteSettings> routes)
{
    Problems problems;
    std::vector<Compiled> compiled;
    compiled.reserve(routes.size());
    for (std::size_t at = 0; at < routes.size(); ++at) compiled.push_back(compile(routes[at], at, problems));
    if (!problems.empty()) return problems;
    return Table{std::make_unique<const Index>(std::move(routes), std::move(compiled))};
}

void Table::decide(const Request& request, Action otherwise, Decision& into) const
{
    index_->decide(request, otherwise, into, matches);
}

void Table::decide_by_name(std::string_view server_name, std::string_view listener, Action otherwise,
                           Decision& into) const
{
    const Request request{server_name, "/", {}, {}, listener};
    index_->decide(request, otherwise, into, matches_name);
    into.target.clear();
    if (into.action == Action::redirect || into.action == Action::respond) {
        into.action = Action::deny;
        into.text.clear();
        into.status = 0;
    }
}

std::vector<Trial> Table::explain(const Request& request, Action otherwise, Decision& into) const
{
    begin(into, otherwise);
    AddressText text;
    auto same = request;
    same.host = one_spelling(request.host, text);
    std::vector<Trial> trials;
    for (std::size_t at = 0; at < index_->compiled.size(); ++at) {
        const auto& route = index_->compiled[at];
        Match match;
        const bool taken = matches(route, same, match);
        trials.push_back(Trial{static_cast<int>(at), taken, reason(index_->settings[at], route, same)});
        if (!taken) continue;
        into.route = static_cast<int>(at);
        compose(route.to, match.bindings, same, match.taken, into);
        trials.back().why += ": " + outcome(into);
        break;
    }
    return trials;
}

} // namespace gw::route
