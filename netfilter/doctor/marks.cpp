// Policy rules, routes and marks: ours, and those of others that would meet them.

#include "netfilter/doctor/report.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gw::doctor {
namespace {

bool is_ours(const netfilter::HostRule& rule, const netfilter::Settings& settings)
{
    return rule.table == settings.route_table && rule.priority == settings.rule_priority;
}

std::string ip(bool v6) { return v6 ? "ip -6 " : "ip -4 "; }

std::string text_of(const netfilter::HostRule& rule)
{
    char mark[48] = "";
    if (rule.mark) std::snprintf(mark, sizeof mark, " fwmark 0x%x/0x%x", *rule.mark, rule.mask);
    return "priority " + std::to_string(rule.priority) + mark + (rule.iif.empty() ? "" : " iif " + rule.iif) +
           (rule.oif.empty() ? "" : " oif " + rule.oif) + " lookup " + std::to_string(rule.table);
}

std::string delete_command(const netfilter::HostRule& rule) { return ip(rule.v6) + "rule del " + text_of(rule); }

/// A packet that bears `mark` in our bits, and whatever it may in others, can fit.
bool can_fit(const netfilter::HostRule& rule, std::uint32_t mark, std::uint32_t our_mask)
{
    return ((*rule.mark ^ mark) & rule.mask & our_mask) == 0;
}

void look_at_mark(const netfilter::HostRule& rule, const Subject& subject, Report& report)
{
    const auto& ours = subject.settings;
    if (!rule.mark || (rule.mask & ours.mark_mask) == 0 || is_ours(rule, ours) || rule.inverted) return;
    const bool asks_for_bits = (*rule.mark & ours.mark_mask) != 0;
    const bool takes = asks_for_bits && (can_fit(rule, ours.captured_mark, ours.mark_mask) ||
                                         can_fit(rule, ours.own_mark, ours.mark_mask));
    const auto overlap = mark_text(*rule.mark, rule.mask);
    report.add({"mark-in-policy-rule",
                takes           ? Severity::error
                : asks_for_bits ? Severity::warning
                                : Severity::note,
                "a policy rule of somebody else looks at mark " + overlap + ", which has bits of ours (mask " +
                    mark_text(ours.captured_mark, ours.mark_mask) + ")",
                family_text(rule.v6) + " rule " + text_of(rule),
                takes           ? "captured connections, or those to servers: they are routed by that rule"
                : asks_for_bits ? "packets of that program while ours are marked, too"
                                : "nothing of ours; packets that bear both marks are not seen by that program",
                delete_command(rule)});
}

bool can_take_ours(const netfilter::HostRule& rule, const Subject& subject)
{
    const auto& ours = subject.settings;
    if (rule.priority == 0 && rule.table == 255) return false; // the table of local addresses
    if (rule.priority > ours.rule_priority || is_ours(rule, ours) || rule.narrowed || rule.inverted) return false;
    if (!rule.oif.empty() || rule.table == 255) return false;
    return !rule.mark;
}

// --- ways

std::string place_of(const Journey& journey)
{
    return journey.question.to.text() + (journey.question.from ? " from " + journey.question.from->text() : "") +
           (journey.question.iif.empty() ? "" : " iif " + journey.question.iif);
}

std::string route_get(const Journey& journey)
{
    char mark[24] = "";
    if (journey.question.mark != 0) std::snprintf(mark, sizeof mark, " mark 0x%x", journey.question.mark);
    return "ip route get " + place_of(journey) + mark;
}

std::string outcome(const netfilter::RouteReply& reply)
{
    switch (reply.kind) {
    case netfilter::RouteReply::Kind::delivered: return "is delivered here";
    case netfilter::RouteReply::Kind::broadcast: return "is a broadcast";
    case netfilter::RouteReply::Kind::forwarded:
        return "is sent out on " + reply.interface + (reply.gateway ? " to " + reply.gateway->text() : "") +
               " (table " + std::to_string(reply.table) + ')';
    case netfilter::RouteReply::Kind::refused: break;
    }
    const bool source = reply.error == EINVAL || reply.error == EXDEV;
    return std::string("is refused: ") + std::strerror(reply.error) +
           (source ? " (the kernel does not believe the source: rp_filter or src_valid_mark)" : "");
}

std::string rule_command(const Subject& subject, bool v6, const std::string& interface)
{
    const auto& ours = subject.settings;
    char mark[48];
    std::snprintf(mark, sizeof mark, "0x%x/0x%x", ours.captured_mark, ours.mark_mask);
    return ip(v6) + "rule add fwmark " + mark + " iif " + interface + " lookup " + std::to_string(ours.route_table) +
           " priority " + std::to_string(ours.rule_priority) + " protocol " + std::to_string(ours.route_protocol);
}

std::string route_command(const Subject& subject, bool v6)
{
    return ip(v6) + "route replace local default dev lo table " + std::to_string(subject.settings.route_table) +
           " protocol " + std::to_string(subject.settings.route_protocol);
}

bool has_our_rule(const Facts& facts, const Subject& subject, bool v6, const std::string& interface)
{
    return std::any_of(facts.rules.begin(), facts.rules.end(), [&](const netfilter::HostRule& rule) {
        return rule.v6 == v6 && rule.iif == interface && is_ours(rule, subject.settings) &&
               rule.mark == subject.settings.captured_mark && rule.mask == subject.settings.mark_mask;
    });
}

void look_at_server_route(const Journey& journey, Report& report)
{
    const auto to = journey.question.to.text();
    if (journey.reply.kind == netfilter::RouteReply::Kind::refused)
        report.add({"server-route", Severity::error,
                    "there is no route to " + to + ", where listener " + journey.listener + " takes connections over",
                    route_get(journey) + ": " + std::strerror(journey.reply.error),
                    "every connection to there: clients get an answer and then a reset",
                    ip(journey.question.to.is_v6()) + "route add " + to + " via NEXT-ROUTER"});
    if (journey.reply.kind == netfilter::RouteReply::Kind::delivered)
        report.add({"destination-is-own",
                    Severity::warning,
                    to + ", where listener " + journey.listener + " is to take connections over, is this host itself",
                    route_get(journey) + ": local",
                    "interception of it: what is for this host is never captured; use a listener with bind: for that",
                    {}});
}

void look_at_captured(const Facts& facts, const Subject& subject, const Journey& journey, Report& report)
{
    if (journey.reply.kind == netfilter::RouteReply::Kind::delivered) return;
    const bool v6 = journey.question.to.is_v6();
    if (!has_our_rule(facts, subject, v6, journey.question.iif)) return; // policy-rule-missing says it
    const bool answers = journey.purpose == Journey::Purpose::answer_captured;
    report.add({"captured-not-delivered", Severity::error,
                std::string(answers ? "a server's answer to a client" : "a captured packet") + " that arrives on " +
                    journey.question.iif + ' ' + outcome(journey.reply),
                route_get(journey) + ", not local",
                "every connection that listener " + journey.listener + " takes over" +
                    (answers ? " with client_address: keep" : ""),
                journey.reply.kind == netfilter::RouteReply::Kind::refused && !v6
                    ? "sysctl -w net.ipv4.conf." + journey.question.iif + ".rp_filter=2 net.ipv4.conf.all.rp_filter=2"
                    : route_command(subject, v6)});
}

bool overlap(const Network& a, const Network& b)
{
    return a.address.is_v6() == b.address.is_v6() && (a.contains(b.address) || b.contains(a.address));
}

/// Servers that stand where the clients are answer them directly, past this host.
void look_at_segment(const Facts& facts, const Listener& listener, Report& report)
{
    if (!listener.keeps_address || listener.intercept.mode == netfilter::Mode::external) return;
    const auto names = interfaces_of(listener, arrival_interfaces(facts));
    const bool one_legged = names.size() == 1;
    if (listener.intercept.interfaces.empty() && !one_legged) return; // cannot know where the clients are
    for (const auto& name : names) {
        const auto* interface = facts.interface(name);
        if (interface == nullptr) continue;
        for (const auto& address : interface->addresses)
            for (const auto& to : listener.intercept.to) {
                if (address.address.is_link_local() || !overlap(address.network(), to)) continue;
                const bool all = address.network().prefix <= to.prefix;
                report.add({"server-on-client-segment", all ? Severity::error : Severity::warning,
                            "servers of " + to.text() + " are on the network of " + name + ", where listener " +
                                listener.name + " has its clients",
                            name + " has " + address.address.text() + '/' + std::to_string(address.prefix) + "; " +
                                listener.where + " says to: " + to.text(),
                            "client_address: keep: such a server answers its client directly, who does not know the "
                            "connection and resets it",
                            "write client_address: gateway in listener " + listener.name + " (" + listener.where +
                                "), then: gatewayctl reload"});
            }
    }
}

} // namespace

void diagnose_marks(const Facts& facts, const Subject& subject, Report& report)
{
    if (subject.listeners.empty() || facts.rules.empty()) return;
    report.looked_at("mark-in-policy-rule");
    report.looked_at("rule-priority");
    for (const auto& rule : facts.rules) {
        look_at_mark(rule, subject, report);
        if (can_take_ours(rule, subject))
            report.add({"rule-priority", rule.priority == 0 ? Severity::error : Severity::warning,
                        "a policy rule of somebody else comes before ours and takes every packet that its table knows "
                        "a route for",
                        family_text(rule.v6) + " rule " + text_of(rule),
                        "captured packets: they are routed by it instead of being delivered to a listener",
                        delete_command(rule) + " && " + ip(rule.v6) + "rule add " +
                            (rule.iif.empty() ? "" : "iif " + rule.iif + ' ') + "lookup " + std::to_string(rule.table) +
                            " priority " + std::to_string(subject.settings.rule_priority + 1)});
    }
    if (!facts.foreign_routes) return;
    report.looked_at("route-table");
    if (*facts.foreign_routes != 0)
        report.add({"route-table", Severity::error,
                    "our routing table " + std::to_string(subject.settings.route_table) + " holds " +
                        std::to_string(*facts.foreign_routes) + " routes of somebody else",
                    "ip route show table " + std::to_string(subject.settings.route_table),
                    "captured packets for these destinations: they are routed instead of being delivered",
                    "ip route flush table " + std::to_string(subject.settings.route_table) + " && gatewayctl reload"});
}

void diagnose_routes(const Facts& facts, const Subject& subject, Report& report)
{
    if (subject.listeners.empty()) return;
    report.looked_at("server-on-client-segment");
    for (const auto& listener : subject.listeners) look_at_segment(facts, listener, report);
    for (const auto& journey : facts.journeys) {
        if (journey.purpose == Journey::Purpose::to_server) {
            report.looked_at("server-route");
            report.looked_at("destination-is-own");
            look_at_server_route(journey, report);
        } else {
            report.looked_at("captured-not-delivered");
            look_at_captured(facts, subject, journey, report);
        }
    }
}

namespace {

bool somebody_listens(const std::vector<netfilter::ListeningSocket>& sockets, bool v6, std::uint16_t port)
{
    return std::any_of(sockets.begin(), sockets.end(), [&](const netfilter::ListeningSocket& socket) {
        return socket.at.port == port && (socket.at.address.is_v6() == v6 || socket.both_families);
    });
}

void look_at_sockets(const Facts& facts, const netfilter::Plan& plan, Report& report)
{
    if (!facts.sockets) return;
    for (const auto& capture : plan.captures) {
        if (capture.intercept.transport != netfilter::Transport::tcp) continue;
        for (const bool v6 : {false, true}) {
            const auto port = v6 ? capture.port_v6 : capture.port_v4;
            if (port == 0) continue;
            report.looked_at("listener-socket-missing");
            if (somebody_listens(*facts.sockets, v6, port)) continue;
            report.add({"listener-socket-missing", Severity::error,
                        "nobody listens on port " + std::to_string(port) + ", where the " + family_text(v6) +
                            " rules of listener " + capture.listener + " lead",
                        "ss -Htln sport = :" + std::to_string(port), "that listener: when_down holds for its traffic",
                        "systemctl restart gateway"});
        }
    }
}

std::string quoted_for_shell(const std::string& name)
{
    std::string text = "'";
    for (const char letter : name) text += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
    return text + '\'';
}

void look_at_policy(const Facts& facts, const Subject& subject, Report& report)
{
    for (const auto& rule : subject.plan->policy_rules) {
        report.looked_at("policy-rule-missing");
        // A rule for an interface that has gone does no harm.
        if (facts.interface(rule.interface) == nullptr || has_our_rule(facts, subject, rule.v6, rule.interface))
            continue;
        report.add({"policy-rule-missing", Severity::error,
                    "the " + family_text(rule.v6) + " policy rule for " + rule.interface + " is gone",
                    ip(rule.v6) + "rule show priority " + std::to_string(subject.settings.rule_priority),
                    "every connection that is captured on " + rule.interface +
                        ": its packets are forwarded or lost instead of being delivered",
                    rule_command(subject, rule.v6, rule.interface)});
    }
    for (const bool v6 : {false, true}) {
        report.looked_at("policy-route-missing");
        if (subject.missing.find(family_text(v6) + " local route") == std::string::npos) continue;
        report.add({"policy-route-missing", Severity::error,
                    "the local " + family_text(v6) + " route of our routing table is gone",
                    ip(v6) + "route show table " + std::to_string(subject.settings.route_table),
                    "every captured " + family_text(v6) + " connection", route_command(subject, v6)});
    }
}

} // namespace

void diagnose_installed(const Facts& facts, const Subject& subject, Report& report)
{
    if (!subject.daemon_runs && !facts.rules.empty()) {
        report.looked_at("left-behind");
        for (const auto& rule : facts.rules)
            if (is_ours(rule, subject.settings))
                report.add({"left-behind", Severity::note, "a policy rule of a gatewayd that was killed is still there",
                            family_text(rule.v6) + " rule " + text_of(rule),
                            "nothing: no packet bears its mark; the next start removes it", delete_command(rule)});
    }
    if (!subject.plan || subject.plan->captures.empty()) return;
    report.looked_at("rules-missing");
    report.looked_at("interface-left-out");
    for (const auto& name : subject.plan->left_out)
        report.add({"interface-left-out", Severity::warning, "no rule can name the interface " + name,
                    "ip link show: its name has a letter that the rules take for something else",
                    "interception of what arrives there, and connections with a client's address whose answers come "
                    "in there",
                    "ip link set dev " + quoted_for_shell(name) + " name NEW"});
    look_at_policy(facts, subject, report);
    look_at_sockets(facts, *subject.plan, report);
    const bool elsewhere = subject.missing.find("policy rule") != std::string::npos ||
                           subject.missing.find("local route") != std::string::npos;
    if (!subject.missing.empty() && !elsewhere)
        report.add({"rules-missing", Severity::error, "of our rules the kernel lacks: " + subject.missing,
                    "nft list table inet " + subject.settings.table,
                    "interception: traffic passes as if we were not "
                    "there, or as when_down says",
                    "gatewayctl reload"});
}

} // namespace gw::doctor
