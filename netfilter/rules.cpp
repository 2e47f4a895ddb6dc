#include "netfilter/rules.h"

#include "netfilter/conntrack_rules.h"
#include "netfilter/intervals.h"

#include <algorithm>
#include <cstdio>
#include <net/if.h>

// The rules of one packet, in order:
//
//   own       what the gateway sent itself (its mark is on it) is never captured
//   divert    packets of a transparent socket that exists: intercepted connections under way, and what upstreams answer
//             to a connection made with a client's address; answers to flows of UDP; ICMP errors about any of them
//   local     what is for this host, or for many hosts, is never captured
//   not alive without a fresh heartbeat nothing new is captured; what is under way was diverted before
//   captures  everything else goes on in a chain of its own (nft_text.cpp says why):
//   capture   one rule a listener and family: handed to the listener by tproxy
//   passed    the same match again: reached only when nobody listens, and says what then holds (when_down)
//   left      what a redirect takes over is left alone here (conntrack_rules.cpp), if a tproxy follows
//
// A beat is a datagram of the installer to itself over the loopback interface. There, before anybody else's rules, it
// refreshes the one element of the set `alive` and is dropped. So beating costs no transaction: programs that read or
// change large rule sets would have to begin anew after each. The element's key is a constant, the same for any packet.
//
// `tproxy` stands before `meta mark set`: without a listener it ends the rule, so the mark is not set and the packet
// goes on unharmed. The other way round the packet would be marked, routed to this host and lost.
//
// UDP knows no SYN, and a socket bound to a destination without being connected would be found for what any client
// sends there, and get it. Ours that answer are bound elsewhere (reply_socket.h), and `tproxy` passes by sockets that
// are not connected; of others that are transparent, only those with our mark, which are those towards upstreams, are
// led here.
//
// An ICMP error about what was sent with a foreign address goes to that address, through this host. It is for us: a
// path that takes only smaller packets, or a port where nobody listens.
//
// Fragments: a tproxy expression switches on reassembly (priority -400) in its namespace, so rules see whole packets.
// No rule here looks at conntrack, so untracked packets are treated alike; but where a redirect is or was in force, its
// connections under way are left to it.

namespace gw::netfilter {
namespace {

constexpr std::size_t max_name_in_comment = 64; // the kernel takes 128 bytes a comment

/// nft knows no escapes inside quotes, so what is not plainly harmless becomes an underscore.
std::string harmless(std::string_view name)
{
    std::string text(name.substr(0, max_name_in_comment));
    for (char& letter : text) {
        const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                           (letter >= '0' && letter <= '9') || letter == '.' || letter == '-' || letter == ':';
        if (!plain) letter = '_';
    }
    return text;
}

std::string set_captured(const Settings& settings)
{
    return "meta mark set meta mark & " + hex(~settings.mark_mask) + " | " + hex(settings.captured_mark);
}

std::string when_down_text(WhenDown when_down, bool udp)
{
    switch (when_down) {
    case WhenDown::pass: return "counter accept";
    case WhenDown::reject: return udp ? "counter reject with icmpx port-unreachable" : "counter reject with tcp reset";
    case WhenDown::drop: return "counter drop";
    }
    return "counter accept";
}

/// A first SYN never belongs to a socket that exists, except one in TIME_WAIT, which must give way to the listener.
/// A socket bound to any address is somebody else's transparent listener, not a connection; TIME_WAIT sockets do not
/// answer the question (`wildcard` ends the rule) and go on to the next. Connections of other products' transparent
/// sockets are delivered here as well, which is what their own rules do with them.
void add_divert(std::vector<Rule>& rules, const Plan& plan)
{
    const std::string divert(divert_chain);
    Rule lead{std::string(prerouting_chain), {}, {}, {}};
    match(lead, "iifname", quoted(policy_interfaces(plan)));
    if (lead.elements.empty()) return;
    rules.push_back({divert, "socket wildcard 1 return", "not a connection", {}});
    rules.push_back({divert, set_captured(plan.settings) + " accept", "ours", {}});
    const auto add_lead = [&](std::string_view condition, std::string_view comment) {
        Rule each = lead;
        each.text.append(condition).append(" jump ").append(divert_chain);
        each.comment = comment;
        rules.push_back(std::move(each));
    };
    add_lead("tcp flags & (syn | ack) != syn socket transparent 1", "divert");
    if (plan.datagrams)
        add_lead("meta l4proto udp socket transparent 1 socket mark & " + hex(plan.settings.mark_mask) +
                     " == " + hex(plan.settings.own_mark),
                 "divert answers");
    // A word of nft's own, as icmp is: "ipv6-icmp" it would look up in /etc/protocols, which small systems do not have.
    add_lead("meta l4proto { icmp, icmpv6 } socket transparent 1", "divert errors");
}

void add_heartbeat(std::vector<Rule>& rules, const Plan& plan)
{
    if (plan.heartbeat_port == 0) return;
    const std::string port = std::to_string(plan.heartbeat_port);
    const std::string set = '@' + std::string(alive_set);
    rules.push_back({std::string(heartbeat_chain),
                     "ip saddr 127.0.0.1 ip daddr 127.0.0.1 udp sport " + port + " udp dport " + port + " update " +
                         set + " { meta mark & 0x00000000 timeout " + std::to_string(heartbeat_lifetime.count()) +
                         "ms } drop",
                     "heartbeat",
                     {port, set}});
}

bool goes_to_family(const Capture& capture, bool v6)
{
    return std::any_of(capture.intercept.to.begin(), capture.intercept.to.end(),
                       [v6](const Network& network) { return network.address.is_v6() == v6; });
}

/// What a redirect takes over later is not for a tproxy that stands behind it in the order of listeners.
void add_left(std::vector<Rule>& rules, const Plan& plan, std::string_view chain, std::size_t index, bool v6)
{
    const auto is_tproxy = [](const Capture& later) { return later.intercept.mode == Mode::tproxy; };
    const auto behind = plan.captures.begin() + static_cast<std::ptrdiff_t>(index);
    if (std::none_of(behind, plan.captures.end(), is_tproxy)) return;
    const Capture& capture = plan.captures[index];
    Rule left = match_of(capture, interfaces_of(plan, capture), v6);
    left.chain = chain;
    left.comment = "left " + std::to_string(index + 1) + (v6 ? " IPv6 " : " IPv4 ") + name_in_comment(capture.listener);
    left.text += "accept";
    rules.push_back(std::move(left));
}

void add_capture(std::vector<Rule>& rules, const Plan& plan, std::string_view chain, std::size_t index, bool v6)
{
    const Capture& capture = plan.captures[index];
    if (!captures_family(capture, v6) || interfaces_of(plan, capture).empty()) return;
    if (capture.intercept.mode == Mode::redirect) return add_left(rules, plan, chain, index, v6);
    const std::string name =
        ' ' + std::to_string(index + 1) + (v6 ? " IPv6 " : " IPv4 ") + name_in_comment(capture.listener);
    Rule taken = match_of(capture, interfaces_of(plan, capture), v6);
    taken.chain = chain;
    Rule passed = taken;
    taken.comment = "capture" + name;
    taken.text += v6 ? "tproxy ip6 to [::1]:" + std::to_string(capture.port_v6)
                     : "tproxy ip to 127.0.0.1:" + std::to_string(capture.port_v4);
    taken.text += ' ' + set_captured(plan.settings) + " counter accept";
    passed.comment = "passed" + name;
    passed.text += when_down_text(capture.intercept.when_down, capture.intercept.transport == Transport::udp);
    rules.push_back(std::move(taken));
    rules.push_back(std::move(passed));
}

} // namespace

bool is_interface_name(std::string_view name)
{
    static constexpr std::string_view not_in_quotes = "\"\\*/:"; // nft takes a star at the end for any letters
    return !name.empty() && name.size() < IFNAMSIZ && name != "." && name != ".." &&
           std::all_of(name.begin(), name.end(), [](char letter) {
               return letter > ' ' && letter < 0x7f && not_in_quotes.find(letter) == std::string_view::npos;
           });
}

Result<> check(const Plan& plan)
{
    const auto refused = [](std::string what) { return Error{Fault::refused, Side::gateway, std::move(what)}; };
    for (const Capture& capture : plan.captures) {
        if (capture.intercept.transport == Transport::udp && capture.intercept.mode != Mode::tproxy)
            return refused("listener " + capture.listener + ": UDP can be taken over by tproxy only");
        for (const std::string& name : capture.intercept.interfaces)
            if (!is_interface_name(name))
                return refused("listener " + capture.listener + ": not an interface: " + name);
    }
    for (const PolicyRule& rule : plan.policy_rules)
        if (!is_interface_name(rule.interface)) return refused("not an interface: " + rule.interface);
    return {};
}

std::string hex(std::uint32_t number)
{
    char text[11];
    std::snprintf(text, sizeof text, "0x%08x", number);
    return text;
}

std::string name_in_comment(std::string_view name) { return harmless(name); }

std::vector<std::string> quoted(const std::vector<std::string>& interfaces)
{
    std::vector<std::string> texts;
    for (const std::string& name : interfaces)
        texts.push_back('"' + (is_interface_name(name) ? name : harmless(name)) + '"');
    return texts;
}

void match(Rule& rule, std::string_view before, const std::vector<std::string>& elements)
{
    if (elements.empty()) return;
    rule.text.append(before).append(" { ");
    for (std::size_t at = 0; at < elements.size(); ++at) rule.text.append(at == 0 ? "" : ", ").append(elements[at]);
    rule.text.append(" } ");
    rule.elements.insert(rule.elements.end(), elements.begin(), elements.end());
}

const std::vector<std::string>& interfaces_of(const Plan& plan, const Capture& capture)
{
    return capture.intercept.interfaces.empty() ? plan.interfaces : capture.intercept.interfaces;
}

std::vector<std::string> policy_interfaces(const Plan& plan)
{
    std::vector<std::string> names;
    for (const PolicyRule& rule : plan.policy_rules)
        if (names.empty() || names.back() != rule.interface) names.push_back(rule.interface);
    return names;
}

Rule match_of(const Capture& capture, const std::vector<std::string>& interfaces, bool v6)
{
    const std::string family = v6 ? "ip6" : "ip";
    Rule rule;
    match(rule, "iifname", quoted(interfaces));
    match(rule, capture.intercept.transport == Transport::udp ? "udp dport" : "tcp dport",
          interval_texts(capture.intercept.ports));
    match(rule, family + " daddr", interval_texts(capture.intercept.to, v6));
    match(rule, family + " daddr !=", interval_texts(capture.intercept.except_to, v6));
    match(rule, family + " saddr !=", interval_texts(capture.intercept.except_from, v6));
    return rule;
}

bool captures_family(const Capture& capture, bool v6)
{
    if (capture.intercept.mode == Mode::external) return false;
    if (capture.intercept.transport == Transport::udp && capture.intercept.mode != Mode::tproxy) return false;
    if ((v6 ? capture.port_v6 : capture.port_v4) == 0 || capture.intercept.ports.empty()) return false;
    return goes_to_family(capture, v6);
}

bool needs_route(const Capture& capture, bool v6)
{
    if (capture.intercept.mode == Mode::tproxy) return captures_family(capture, v6);
    return capture.intercept.keeps_address && goes_to_family(capture, v6);
}

void add_gate(std::vector<Rule>& rules, const Plan& plan, std::string_view chain)
{
    if (plan.heartbeat_port == 0) return;
    const std::string set = '@' + std::string(alive_set);
    rules.push_back({std::string(chain),
                     "meta mark & 0x00000000 != " + set + " return",
                     "not alive, " + std::string(chain),
                     {set}});
}

std::vector<Rule> rules_of(const Plan& plan, std::string_view captures)
{
    const std::string prerouting(prerouting_chain);
    std::vector<Rule> rules;
    const auto own = [&](std::uint32_t mark, std::string comment) {
        rules.push_back({prerouting,
                         "meta mark & " + hex(plan.settings.mark_mask) + " == " + hex(mark) + " return",
                         std::move(comment),
                         {}});
    };
    own(plan.settings.own_mark, "own");
    if (plan.zones_twins) own(twin_mark(plan.settings), "own twin");
    add_divert(rules, plan);
    rules.push_back({prerouting, "fib daddr type { local, broadcast, anycast, multicast } return", "local", {}});
    add_gate(rules, plan, prerouting);
    if (plan.redirects) rules.push_back({prerouting, "ct status & dnat != 0 return", "redirected before", {}});
    const std::string chain(captures);
    rules.push_back({prerouting, "jump " + chain, "captures", {chain}});
    for (std::size_t index = 0; index < plan.captures.size(); ++index)
        for (const bool v6 : {false, true}) add_capture(rules, plan, captures, index, v6);
    add_heartbeat(rules, plan);
    add_conntrack_rules(rules, plan, captures);
    return rules;
}

} // namespace gw::netfilter
