#include "gateway/ctl/explain.h"

#include "gateway/http/message.h"
#include "gateway/http/path.h"
#include "gateway/http/url.h"

#include <algorithm>

namespace gw::ctl {

namespace {

using intake::Protocol;

const intake::ListenerSettings* chosen(const Explanation& explanation, const Configuration& configuration)
{
    return explanation.listener ? &configuration.settings.listeners[*explanation.listener] : nullptr;
}

Error no_such_listener(const std::string& name, const std::vector<intake::ListenerSettings>& listeners)
{
    std::string what = "no listener is named \"" + name + "\"; there are:";
    for (const auto& listener : listeners) what += ' ' + listener.name;
    return {Fault::malformed, Side::client, std::move(what), {}};
}

/// What the first bytes are taken for, and what comes of it when the listener does not want them.
void peek(const Url& url, Protocol protocol, Explanation& into)
{
    const bool http = url.scheme == Url::Scheme::http;
    const bool tls = url.scheme == Url::Scheme::https;
    const std::string first = http  ? "the first bytes are an HTTP request"
                              : tls ? "the first bytes are a TLS ClientHello for \"" + url.host + '"'
                                    : "the first bytes are neither HTTP nor TLS";
    into.speaks = name_of(url.scheme) == "https" ? "tls" : name_of(url.scheme);
    into.peek_why = first;
    switch (protocol) {
    case Protocol::udp: // takes no connection
    case Protocol::automatic: break;
    case Protocol::tcp:
        into.speaks = "tcp";
        into.peek_why = "protocol: tcp, the bytes are not looked at";
        break;
    case Protocol::http:
        if (!http) into.ends = first + ", but the listener has protocol: http; the gateway refuses the connection";
        break;
    case Protocol::tls:
        if (!tls) into.ends = first + ", but the listener has protocol: tls; the gateway refuses the connection";
        break;
    }
    into.by_name = into.speaks == "tls";
}

/// The Host field as it is written on the command line counts like the client's own.
std::string host_of(const Question& question)
{
    for (const auto& [name, value] : question.headers) {
        if (!http::same_name(name, "host")) continue;
        if (const auto authority = http::parse_authority(value)) {
            std::string scratch;
            return std::string(http::normalise_host(authority->host, scratch));
        }
    }
    return question.url.host;
}

/// What a table of that one route says. Never empty.
route::Trial alone(route::RouteSettings settings, const route::Request& request)
{
    const auto built = route::Table::build({std::move(settings)});
    route::Decision ignored;
    if (const auto* table = std::get_if<route::Table>(&built)) {
        auto trials = table->explain(request, route::Action::deny, ignored);
        if (!trials.empty()) return std::move(trials.front());
    }
    return {};
}

/// The same route for every path and method.
route::RouteSettings relaxed(route::RouteSettings settings)
{
    settings.path = "/";
    settings.method = "_";
    settings.to = "respond:204"; // what it was may need names that the path has bound
    return settings;
}

bool host_fits(const route::RouteSettings& settings, const route::Request& request)
{
    auto only_host = relaxed(settings);
    only_host.listeners.clear();
    return alone(std::move(only_host), request).taken;
}

bool is_wildcard_path(const std::string& path) { return path == "/" || path == "_"; }

/// Why a name alone does not choose the route; empty: nothing in the way but perhaps host and listener.
std::string more_than_a_name(const route::RouteSettings& settings)
{
    if (!is_wildcard_path(settings.path)) return "path " + settings.path + " cannot be seen in TLS that is passed on";
    if (settings.method != "_") return "method " + settings.method + " cannot be seen in TLS that is passed on";
    return {};
}

Tried try_by_name(int number, const route::RouteSettings& settings, const route::Request& request, int taken)
{
    if (number == taken) return {number, Tried::Fate::taken, alone(settings, request).why};
    auto reason = more_than_a_name(settings);
    const auto trial = alone(relaxed(settings), request);
    if (!trial.taken) return {number, Tried::Fate::no, trial.why};
    if (!reason.empty()) return {number, Tried::Fate::near_miss, std::move(reason)};
    return {number, Tried::Fate::later, "it fits, but an earlier route does, too"};
}

Tried try_request(int number, const route::RouteSettings& settings, const route::Request& request,
                  const route::Trial* said, int taken)
{
    const auto trial = said ? *said : alone(settings, request);
    if (number == taken) return {number, Tried::Fate::taken, trial.why};
    if (!said && trial.taken) return {number, Tried::Fate::later, "it fits, but an earlier route does, too"};
    const auto fate = host_fits(settings, request) ? Tried::Fate::near_miss : Tried::Fate::no;
    return {number, fate, trial.why};
}

void try_routes(const Question& question, const Configuration& configuration, route::Action otherwise,
                Explanation& into)
{
    const auto& routes = configuration.settings.routes;
    const auto& listener = chosen(into, configuration)->name;
    const route::Request request{into.host, into.by_name ? "/" : std::string_view(question.url.path),
                                 question.url.query, question.method, listener};
    std::vector<route::Trial> trials;
    if (into.by_name)
        configuration.routes.decide_by_name(into.host, listener, otherwise, into.decision);
    else
        trials = configuration.routes.explain(request, otherwise, into.decision);
    for (int number = 0; number < static_cast<int>(routes.size()); ++number) {
        const auto& settings = routes[static_cast<std::size_t>(number)];
        const auto said = std::find_if(trials.begin(), trials.end(),
                                       [&](const route::Trial& trial) { return trial.route == number; });
        into.tried.push_back(into.by_name ? try_by_name(number, settings, request, into.decision.route)
                                          : try_request(number, settings, request,
                                                        said == trials.end() ? nullptr : &*said, into.decision.route));
    }
}

std::string authority_text(const std::string& host, std::uint16_t port)
{
    return (host.find(':') == std::string::npos ? host : '[' + host + ']') + ':' + std::to_string(port);
}

std::string original_text(const Question& question)
{
    const auto& packet = question.packet;
    if (packet.destination) return Endpoint{*packet.destination, packet.port}.text();
    return "the address the client dialled, port " + std::to_string(packet.port);
}

const upstream::PoolSettings* pool_of(const route::Decision& decision, const intake::ListenerSettings& listener,
                                      const Configuration& configuration)
{
    const auto& settings = configuration.settings;
    const auto number =
        decision.route < 0 ? listener.pool : settings.route_extras[static_cast<std::size_t>(decision.route)].pool;
    return number < settings.pools.size() ? &settings.pools[number] : nullptr;
}

/// Who is asked for what, or why nobody can be.
void follow_decision(const Question& question, const intake::ListenerSettings& listener,
                     const Configuration& configuration, Explanation& into)
{
    const auto& decision = into.decision;
    const auto target = decision.target.empty() ? question.url.path + question.url.query : decision.target;
    switch (decision.action) {
    case route::Action::forward_original:
        into.upstream = original_text(question);
        if (!listener.intercept && !listener.proxy_protocol)
            into.refused = "a bind listener has no original destination to go on to";
        break;
    case route::Action::forward_url:
        into.upstream = authority_text(decision.host, decision.port);
        if (into.speaks == "http") into.upstream = (decision.tls ? "https://" : "http://") + into.upstream + target;
        break;
    case route::Action::forward_pool: into.pool = pool_of(decision, listener, configuration); break;
    case route::Action::redirect:
    case route::Action::respond:
    case route::Action::deny: break;
    }
    if (into.pool != nullptr) into.upstream = "pool " + into.pool->name;
    if (into.speaks == "http" && (question.method == "CONNECT" || question.method == "TRACE"))
        into.refused = "the gateway answers 405 to " + question.method;
}

bool names(const std::vector<std::pair<std::string, std::string>>& edits, const std::string& name)
{
    return std::any_of(edits.begin(), edits.end(), [&](const auto& edit) { return http::same_name(edit.first, name); });
}

bool names(const std::vector<std::string>& fields, const std::string& name)
{
    return std::any_of(fields.begin(), fields.end(), [&](const auto& field) { return http::same_name(field, name); });
}

/// What happens on the way to each header the question names.
std::vector<std::string> notes_on(const Question& question, const filters::HeaderEdits* edits)
{
    std::vector<std::string> notes;
    for (const auto& [name, value] : question.headers) {
        if (http::ends_here(name, {}))
            notes.push_back(name + ": ends here, it belongs to one hop");
        else if (edits && names(edits->set, name))
            notes.push_back(name + ": replaced");
        else if (edits && names(edits->remove, name))
            notes.push_back(name + ": removed");
        else
            notes.push_back(name + ": passed on");
    }
    return notes;
}

void choose_policy(const Configuration& configuration, Explanation& into)
{
    if (into.speaks != "http") {
        into.waf_why = "only HTTP in clear text can be inspected";
    } else if (into.upstream.empty() || !into.refused.empty()) {
        into.waf_why = "the gateway answers by itself";
    } else {
        const auto number = static_cast<std::size_t>(into.decision.route);
        const auto& extras = configuration.settings.route_extras;
        into.waf_policy = into.decision.route >= 0 && number < extras.size() ? extras[number].waf_policy : 0;
        into.waf_why = *into.waf_policy == 0 ? "as set for everything" : "as set for the route";
    }
}

/// A bind listener has no original destination but for what a PROXY header says.
route::Action action_of(const intake::ListenerSettings& listener)
{
    if (listener.otherwise == intake::Otherwise::pool) return route::Action::forward_pool;
    const bool known = listener.intercept || listener.proxy_protocol;
    return listener.otherwise == intake::Otherwise::original && known ? route::Action::forward_original
                                                                      : route::Action::deny;
}

} // namespace

std::string_view name_of(Tried::Fate fate)
{
    switch (fate) {
    case Tried::Fate::taken: return "taken";
    case Tried::Fate::no: return "no";
    case Tried::Fate::near_miss: return "near miss";
    case Tried::Fate::later: return "later";
    }
    return "";
}

std::string_view name_of(waf::Mode mode)
{
    switch (mode) {
    case waf::Mode::off: return "off";
    case waf::Mode::detect: return "detect";
    case waf::Mode::block: return "block";
    }
    return "";
}

Result<Explanation> explain(const Question& question, const Configuration& configuration)
{
    const auto& listeners = configuration.settings.listeners;
    Explanation into;
    for (const auto& listener : listeners) into.fits.push_back(fit_of(listener, question.packet));
    into.listener = choose(listeners, into.fits);
    if (!question.listener.empty()) {
        const auto named = std::find_if(listeners.begin(), listeners.end(),
                                        [&](const auto& listener) { return listener.name == question.listener; });
        if (named == listeners.end()) return no_such_listener(question.listener, listeners);
        into.listener = static_cast<std::size_t>(named - listeners.begin());
        into.asked_for = true;
    }
    const auto* listener = chosen(into, configuration);
    if (!listener) return into;

    peek(question.url, listener->protocol, into);
    if (!into.ends.empty()) return into;
    const auto otherwise = action_of(*listener);
    into.host = into.by_name ? question.url.host : host_of(question);
    if (into.speaks == "tcp")
        into.decision.action = otherwise;
    else
        try_routes(question, configuration, otherwise, into);
    follow_decision(question, *listener, configuration, into);
    choose_policy(configuration, into);
    const auto number = into.decision.route;
    const auto& extras = configuration.settings.route_extras;
    const bool edited = number >= 0 && static_cast<std::size_t>(number) < extras.size();
    into.header_notes =
        notes_on(question, edited ? &extras[static_cast<std::size_t>(number)].request_headers : nullptr);
    return into;
}

} // namespace gw::ctl
