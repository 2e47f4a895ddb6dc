#include "netfilter/conntrack_rules.h"

#include <algorithm>

// Redirect. NAT looks at the first packet of a connection only; conntrack remembers for the others. The listener waits
// on all addresses, because the kernel leads a packet to the first address of the interface it came in by. Whoever
// dials that port himself was not redirected, and gets a reset before the listener sees him.
//
// Zones. A relay is two connections. Both go from the client's address to the server's, and conntrack must not take one
// for the other:
//
//   beside NAT  The kernel chooses the port of the gateway's own connection, and may choose one that the same client
//               uses towards the same server: the packets would be taken for the client's, and be redirected to
//               ourselves. A zone for the direction in which we send settles it. The answers stay in the common zone,
//               where others' source NAT of that connection finds them.
//   twins       With `keep_with_port` under tproxy both connections have the very same addresses and ports in both
//               directions. So a twin has a zone of its own both ways. Its answers are known by the mark of the socket
//               that waits for them. Others' source NAT must leave twins alone: it changes what that socket is found
//               by.
//
// Where a client's packets are redirected they stay in the common zone: the kernel looks there for the original
// destination, and nowhere else.

namespace gw::netfilter {
namespace {

// Before others' rules for the same destination, so that the order of chains with the same priority does not matter.
constexpr std::string_view redirecting_hook = "{ type nat hook prerouting priority dstnat - 5; policy accept; }";
constexpr std::string_view direct_hits_hook = "{ type filter hook input priority filter - 5; policy accept; }";
constexpr std::string_view zones_in_hook = "{ type filter hook prerouting priority raw; policy accept; }";
constexpr std::string_view zones_out_hook = "{ type filter hook output priority raw; policy accept; }";

bool redirects(const Capture& capture, bool v6)
{
    return capture.intercept.mode == Mode::redirect && captures_family(capture, v6);
}

void add_redirect(std::vector<Rule>& rules, const Plan& plan, std::string_view chain, std::size_t index, bool v6)
{
    const Capture& capture = plan.captures[index];
    const auto& interfaces = interfaces_of(plan, capture);
    if (!redirects(capture, v6) || interfaces.empty()) return;
    Rule rule = match_of(capture, interfaces, v6);
    rule.chain = chain;
    rule.comment =
        "redirect " + std::to_string(index + 1) + (v6 ? " IPv6 " : " IPv4 ") + name_in_comment(capture.listener);
    rule.text += "counter redirect to :" + std::to_string(v6 ? capture.port_v6 : capture.port_v4);
    rules.push_back(std::move(rule));
}

/// What our rules at tproxy took over, or we sent, bears a mark of ours; what is for this host stays its own.
void add_redirects(std::vector<Rule>& rules, const Plan& plan, std::string_view captures)
{
    const std::string chain(redirecting_chain);
    const std::string leads_to(redirects_of(captures));
    rules.push_back({chain, "meta mark & " + hex(plan.settings.mark_mask) + " != 0x00000000 return", "marked", {}});
    rules.push_back({chain, "fib daddr type { local, broadcast, anycast, multicast } return", "local redirect", {}});
    add_gate(rules, plan, chain);
    rules.push_back({chain, "jump " + leads_to, "redirects", {leads_to}});
    for (std::size_t index = 0; index < plan.captures.size(); ++index)
        for (const bool v6 : {false, true}) add_redirect(rules, plan, leads_to, index, v6);
}

void add_direct_hits(std::vector<Rule>& rules, const Plan& plan)
{
    for (const bool v6 : {false, true}) {
        std::vector<std::string> ports;
        for (const Capture& capture : plan.captures)
            if (redirects(capture, v6)) ports.push_back(std::to_string(v6 ? capture.port_v6 : capture.port_v4));
        if (ports.empty()) continue;
        Rule rule{std::string(direct_hits_chain), {}, std::string("direct hits ") + (v6 ? "IPv6" : "IPv4"), {}};
        rule.text = std::string("meta nfproto ") + (v6 ? "ipv6 " : "ipv4 ");
        match(rule, "tcp dport", ports);
        rule.text += "tcp flags & (syn | ack) == syn ct status & dnat == 0 counter reject with tcp reset";
        rules.push_back(std::move(rule));
    }
}

std::string marked(const Settings& settings, std::string_view what, std::uint32_t mark)
{
    return std::string(what) + " mark & " + hex(settings.mark_mask) + " == " + hex(mark);
}

void add_zones(std::vector<Rule>& rules, const Plan& plan)
{
    const Settings& settings = plan.settings;
    const std::string zone = std::to_string(settings.zone);
    const std::string out(zones_out_chain);
    if (plan.zones_twins) {
        Rule answers{std::string(zones_in_chain), {}, "answers to twins", {}};
        match(answers, "iifname", quoted(policy_interfaces(plan)));
        answers.text += "tcp flags & (syn | ack) != syn " + marked(settings, "socket", twin_mark(settings)) +
                        " ct zone set " + zone;
        rules.push_back(std::move(answers));
        rules.push_back({out, marked(settings, "meta", twin_mark(settings)) + " ct zone set " + zone, "twins", {}});
    }
    // Nobody but a connection made as a client sends with our mark and an address that is not ours.
    if (plan.zones_kept)
        rules.push_back({out,
                         "meta l4proto tcp " + marked(settings, "meta", settings.own_mark) +
                             " fib saddr type != local ct original zone set " + zone,
                         "beside NAT",
                         {}});
}

} // namespace

std::string_view redirects_of(std::string_view captures)
{
    return captures == captures_a ? "redirects_a" : "redirects_b";
}

std::vector<BaseChain> conntrack_chains(const Plan& plan)
{
    std::vector<BaseChain> chains;
    if (plan.redirects) {
        chains.push_back({redirecting_chain, redirecting_hook});
        chains.push_back({direct_hits_chain, direct_hits_hook});
    }
    if (plan.zones_twins) chains.push_back({zones_in_chain, zones_in_hook});
    if (plan.zones_twins || plan.zones_kept) chains.push_back({zones_out_chain, zones_out_hook});
    return chains;
}

void learn_conntrack(Plan& plan, std::string_view listing)
{
    const auto has_chain = [&](std::string_view name) {
        return listing.find("chain " + std::string(name) + " {") != std::string_view::npos;
    };
    plan.redirects = has_chain(redirecting_chain);
    plan.zones_twins = has_chain(zones_in_chain);
    plan.zones_kept = listing.find(" comment \"beside NAT\"") != std::string_view::npos;
}

void add_conntrack_rules(std::vector<Rule>& rules, const Plan& plan, std::string_view captures)
{
    if (plan.redirects) {
        add_redirects(rules, plan, captures);
        add_direct_hits(rules, plan);
    }
    add_zones(rules, plan);
}

} // namespace gw::netfilter
