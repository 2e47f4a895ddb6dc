#include "gateway/ctl/explain.h"

#include <array>
#include <utility>

/// The explanation for people: a block of lines for each step of the connection's way, indented alike.
namespace gw::ctl {

namespace {

constexpr std::size_t label_width = 10;
constexpr std::size_t shown_misses = 10; // of each kind, unless all are wanted

/// Lines with a label before the first and room under it.
class Steps {
public:
    explicit Steps(const Look& look) : look_(look) {}

    void begin(std::string_view label) { label_ = label; }
    void line(const std::string& text, Colour colour = Colour::none)
    {
        auto label = std::exchange(label_, {});
        label.resize(label_width, ' ');
        text_ += paint(look_, Colour::strong, label) + paint(look_, colour, harmless(text)) + '\n';
    }
    void line(std::string_view label, const std::string& text, Colour colour = Colour::none)
    {
        begin(label);
        line(text, colour);
    }
    std::string text() && { return std::move(text_); }

private:
    const Look& look_;
    std::string label_;
    std::string text_;
};

std::string_view word_for(Fit::Answer answer)
{
    switch (answer) {
    case Fit::Answer::yes: return "takes it";
    case Fit::Answer::if_own:
    case Fit::Answer::unknown: return "may take it";
    case Fit::Answer::no: return "does not take it";
    }
    return "";
}

std::string kind_of(const intake::ListenerSettings& listener) { return listener.intercept ? "intercept" : "bind"; }

std::string when_down(const intake::ListenerSettings& listener)
{
    if (!listener.intercept) return {};
    switch (listener.intercept->when_down) {
    case netfilter::WhenDown::pass: return "passes untouched";
    case netfilter::WhenDown::reject: return "is rejected";
    case netfilter::WhenDown::drop: return "is dropped";
    }
    return {};
}

void add_question(const Question& question, Steps& steps)
{
    const bool http = question.url.scheme != Url::Scheme::tcp;
    steps.line("request", (http ? question.method + ' ' : "") + question.url.text());
    const auto& packet = question.packet;
    steps.line("from", packet.client ? packet.client->text() : "any client");
    if (packet.destination)
        steps.line("to", Endpoint{*packet.destination, packet.port}.text() + " (" + question.destination_from + ')');
    else
        steps.line("to", question.url.host + ", whose address is not known; give it with --to", Colour::yellow);
}

void add_fit(const intake::ListenerSettings& listener, const Fit& fit, Steps& steps)
{
    const auto colour = fit.answer == Fit::Answer::yes  ? Colour::green
                        : fit.answer == Fit::Answer::no ? Colour::none
                                                        : Colour::yellow;
    const auto& where = listener.intercept ? listener.intercept->where : listener.where;
    steps.line(kind_of(listener) + " \"" + listener.name + "\" (" + where.text() + ") " +
                   std::string(word_for(fit.answer)) + ": " + fit.why,
               colour);
    if (fit.answer == Fit::Answer::no) return;
    for (const auto& proviso : fit.provided) steps.line("  provided that " + proviso);
}

std::string header_text(const intake::ProxyProtocol& rule)
{
    std::string trusted;
    for (const auto& network : rule.trusted) trusted += (trusted.empty() ? "" : ", ") + network.text();
    return "a PROXY header must come first, from " +
           (trusted.empty() ? "nobody: every connection is refused" : trusted) + "; it says who the client is";
}

void add_capture(const Explanation& explanation, const Configuration& configuration, bool all, Steps& steps)
{
    const auto& listeners = configuration.settings.listeners;
    steps.begin("capture");
    const bool others = all || !explanation.listener || explanation.asked_for;
    for (std::size_t i = 0; i < listeners.size(); ++i)
        if (others || explanation.listener == i) add_fit(listeners[i], explanation.fits[i], steps);
    if (!explanation.listener) {
        steps.line("nobody takes it: it passes by untouched, or comes to a port where the gateway does not wait",
                   Colour::yellow);
        return;
    }
    const auto& listener = listeners[*explanation.listener];
    if (listener.proxy_protocol) steps.line(header_text(*listener.proxy_protocol));
    if (explanation.asked_for) steps.line("listener \"" + listener.name + "\" as asked for with --listener");
    if (const auto down = when_down(listener); !down.empty())
        steps.line("while the gateway is down it " + down + " (when_down)");
}

std::string pattern_of(const route::RouteSettings& route)
{
    return (route.method == "_" ? "" : route.method + ' ') + route.host + ' ' + route.path + " -> " + route.to;
}

std::string_view word_for(Tried::Fate fate)
{
    switch (fate) {
    case Tried::Fate::taken: return "TAKEN";
    case Tried::Fate::near_miss: return "near miss";
    case Tried::Fate::no: return "no";
    case Tried::Fate::later: return "not reached";
    }
    return "";
}

void add_tried(const Tried& tried, const route::RouteSettings& route, Steps& steps)
{
    constexpr std::array colours{Colour::green, Colour::none, Colour::yellow, Colour::faint}; // as Fate
    const auto head = '#' + std::to_string(tried.route) + ' ' + pattern_of(route) + " (" + route.where.text() + ')';
    const auto colour = colours[static_cast<std::size_t>(tried.fate)];
    steps.line(head, colour);
    steps.line("  " + std::string(word_for(tried.fate)) + (tried.why.empty() ? "" : ": " + tried.why), colour);
}

void add_routes(const Explanation& explanation, const Configuration& configuration, bool all, Steps& steps)
{
    steps.begin("routes");
    if (explanation.speaks == "tcp") {
        steps.line("not asked: they choose by HTTP request or TLS name");
        return;
    }
    if (explanation.tried.empty()) steps.line("there are none");
    std::array<std::size_t, 4> seen{};
    std::size_t hidden = 0;
    for (const auto& tried : explanation.tried) {
        if (!all && ++seen[static_cast<std::size_t>(tried.fate)] > shown_misses)
            ++hidden;
        else
            add_tried(tried, configuration.settings.routes[static_cast<std::size_t>(tried.route)], steps);
    }
    if (hidden != 0) steps.line("and " + grouped(hidden) + " more (--all shows them)", Colour::faint);
}

std::string edits_text(const filters::HeaderEdits& edits)
{
    std::string text;
    const auto add = [&](const std::string& words) { text += (text.empty() ? "" : "; ") + words; };
    for (const auto& name : edits.remove) add("remove " + name);
    for (const auto& [name, value] : edits.set) add("set " + name + ": " + value);
    for (const auto& [name, value] : edits.add) add("add " + name + ": " + value);
    return text;
}

std::string_view word_for(upstream::SendProxy wanted)
{
    switch (wanted) {
    case upstream::SendProxy::none: return "without a PROXY header";
    case upstream::SendProxy::v1: return "each connection with a PROXY header, version 1";
    case upstream::SendProxy::v2: return "each connection with a PROXY header, version 2";
    }
    return "";
}

void add_pool(const upstream::PoolSettings& pool, Steps& steps)
{
    std::string servers;
    for (const auto& server : pool.servers) {
        servers += (servers.empty() ? "" : ", ") + server.address.text();
        if (server.weight != 1) servers += " (weight " + std::to_string(server.weight) + ')';
    }
    steps.line("in turn (round_robin, " + pool.where.text() + "): " + servers);
    steps.line(std::string(word_for(pool.send_proxy)));
}

void add_action(const Explanation& explanation, const Configuration& configuration,
                const intake::ListenerSettings& listener, Steps& steps)
{
    const auto& decision = explanation.decision;
    steps.begin("action");
    const auto by_default =
        decision.route < 0 ? " (default: of listener \"" + listener.name + "\", " + listener.where.text() + ')' : "";
    const auto verb = explanation.speaks == "http" ? "ask " : "pass the bytes on to ";
    switch (decision.action) {
    case route::Action::forward_original:
        steps.line(verb + explanation.upstream + ", the original destination" + by_default, Colour::green);
        break;
    case route::Action::forward_url: steps.line(verb + explanation.upstream, Colour::green); break;
    case route::Action::forward_pool:
        steps.line(std::string(verb) + "a server of " + explanation.upstream + by_default, Colour::green);
        if (explanation.pool != nullptr) add_pool(*explanation.pool, steps);
        break;
    case route::Action::redirect:
        steps.line("redirect, " + std::to_string(decision.status) + " to " + decision.text, Colour::green);
        break;
    case route::Action::respond:
        steps.line("answer " + std::to_string(decision.status) + (decision.text.empty() ? "" : ": " + decision.text),
                   Colour::green);
        break;
    case route::Action::deny:
        steps.line((explanation.speaks == "http" ? "deny, answer 404" : "deny, close the connection") + by_default,
                   Colour::red);
        break;
    }
    if (!explanation.refused.empty()) steps.line("but " + explanation.refused, Colour::red);
    const auto number = static_cast<std::size_t>(decision.route);
    if (decision.route < 0 || explanation.upstream.empty() || explanation.speaks != "http") return;
    const auto& route = configuration.settings.routes[number];
    steps.line("timeout " + limit_text(route.timeout) + ", request body up to " +
               (route.max_body_bytes ? bytes_text(*route.max_body_bytes) : "any size"));
}

void add_headers(const Explanation& explanation, const Configuration& configuration, Steps& steps)
{
    if (explanation.speaks != "http" || explanation.upstream.empty()) return;
    steps.begin("headers");
    const auto number = static_cast<std::size_t>(explanation.decision.route);
    const auto& extras = configuration.settings.route_extras;
    if (explanation.decision.route >= 0 && number < extras.size()) {
        if (const auto text = edits_text(extras[number].request_headers); !text.empty()) steps.line("request: " + text);
        if (const auto text = edits_text(extras[number].response_headers); !text.empty())
            steps.line("response: " + text);
    }
    for (const auto& note : explanation.header_notes) steps.line(note);
    steps.begin({});
}

std::string disabled_text(const waf::Policy& policy)
{
    std::string text;
    if (!policy.disable_rules.empty())
        text += ", " + counted(policy.disable_rules.size(), "rule", "rules") + " disabled";
    if (!policy.disable_targets.empty())
        text += ", targets of " + counted(policy.disable_targets.size(), "rule", "rules") + " disabled";
    return text;
}

void add_waf(const Explanation& explanation, const Configuration& configuration, Steps& steps)
{
    if (!explanation.waf_policy) return steps.line("waf", "not asked: " + explanation.waf_why);
    steps.begin("waf");
    const auto& policy = configuration.settings.waf.policies[*explanation.waf_policy];
    const auto from = ", " + explanation.waf_why;
    if (policy.mode == waf::Mode::off) return steps.line("off" + from);
    steps.line(std::string(name_of(policy.mode)) + from + ": paranoia " + std::to_string(policy.paranoia) +
               ", thresholds " + std::to_string(policy.request_threshold) + " and " +
               std::to_string(policy.response_threshold) + disabled_text(policy));
}

} // namespace

std::string explanation_text(const Question& question, const Explanation& explanation,
                             const Configuration& configuration, bool all, const Look& look)
{
    Steps steps(look);
    add_question(question, steps);
    add_capture(explanation, configuration, all, steps);
    if (explanation.listener) {
        steps.line("peek",
                   explanation.ends.empty() ? explanation.speaks + ": " + explanation.peek_why : explanation.ends,
                   explanation.ends.empty() ? Colour::none : Colour::red);
    }
    if (explanation.listener && explanation.ends.empty()) {
        add_routes(explanation, configuration, all, steps);
        add_action(explanation, configuration, configuration.settings.listeners[*explanation.listener], steps);
        add_headers(explanation, configuration, steps);
        add_waf(explanation, configuration, steps);
    }
    return std::move(steps).text();
}

} // namespace gw::ctl
