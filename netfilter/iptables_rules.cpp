#include "netfilter/iptables_rules.h"

#include "netfilter/iptables_rule_text.h"
#include "netfilter/rules.h"

#include <algorithm>

// The rules of a packet are those of nft (rules.cpp, conntrack_rules.cpp), in the same order. What is different:
//
//   heartbeat   The kernel's list `recent` takes the place of the set: a beat is the same datagram over loopback, and
//               leaves the time in the one element of a list whose mask is all zeros, so that it is any packet's. Times
//               are compared, so nothing has to expire. Each family has a list and a beat of its own.
//   not alive   is asked in the rule that captures, not before it: the list is behind one lock for all processors.
//   no listener TPROXY drops what it has no listener for, where nft lets it pass. So between the death of a keeper and
//               the end of its last beat new connections wait for the client's next SYN; then when_down holds.
//   first fit   A rule cannot leave two chains at once. What must not be looked at any more is marked as if it were our
//               own, which nothing that comes this far is, and the mark is taken off behind it.
//   socket      `--restore-skmark` replaces the mark of a packet to compare it with the socket's. Only packets that
//               have a transparent socket meet that.
//
// Rules of the kernel's chains stand first there: a verdict of ours is final in its table, so no rule of others
// restores another mark after it.

namespace gw::netfilter {
namespace {

constexpr const char* mangle = "mangle";
constexpr const char* no_connection = "! --tcp-flags SYN,ACK SYN ";

std::string what_of(std::string_view kind, const IptablesWriter& writer, std::size_t index)
{
    return std::string(kind) + ' ' + std::to_string(index + 1) + writer.family() +
           name_in_comment(writer.plan().captures[index].listener);
}

std::vector<std::string> interfaces_of_family(const IptablesWriter& writer)
{
    std::vector<std::string> names;
    for (const PolicyRule& rule : writer.plan().policy_rules)
        if (rule.v6 == writer.v6()) names.push_back(rule.interface);
    return quoted(names);
}

void add_heartbeat(IptablesWriter& writer)
{
    if (writer.beat_port() == 0) return;
    const std::string port = std::to_string(writer.beat_port());
    const std::string loopback = writer.loopback();
    const std::string from = "-i lo -s " + loopback + " -d " + loopback + " -p udp --sport " + port + " --dport ";
    const std::string last = from + std::to_string(last_beat_port);
    writer.add(mangle, "prerouting", last + " -m recent --remove " + writer.alive_list() + "-j DROP", "last beat");
    writer.add(mangle, "prerouting", last + " -j DROP", "after the last beat");
    writer.add(mangle, "prerouting", from + port + " -m recent --set " + writer.alive_list() + "-j DROP", "heartbeat");
}

void add_divert(IptablesWriter& writer)
{
    const auto interfaces = interfaces_of_family(writer);
    if (interfaces.empty()) return;
    const Settings& settings = writer.plan().settings;
    writer.add_chain(mangle, "under-way");
    writer.add_chain(mangle, "divert");
    for (const std::string& interface : interfaces)
        writer.add(mangle, "prerouting", "-i " + interface + " -j " + writer.name("under-way"), "under way");
    const std::string divert = "-j " + writer.name("divert");
    const std::string socket = "-m socket --transparent ";
    writer.add(mangle, "under-way", std::string("-p tcp ") + no_connection + socket + divert, "divert");
    if (writer.plan().datagrams)
        writer.add(mangle, "under-way",
                   "-p udp " + socket + "--restore-skmark " + writer.is_marked(settings.own_mark) + divert,
                   "divert answers");
    writer.add(mangle, "under-way", (writer.v6() ? "-p ipv6-icmp " : "-p icmp ") + socket + divert, "divert errors");
    writer.add(mangle, "divert", writer.set_mark(settings.captured_mark), "ours");
    writer.add(mangle, "divert", "-j ACCEPT", "ours");
}

std::string tproxy_to(const IptablesWriter& writer, const Capture& capture)
{
    return writer.alive() + "-j TPROXY --on-ip " + writer.loopback() + " --on-port " +
           std::to_string(writer.v6() ? capture.port_v6 : capture.port_v4) + " --tproxy-mark " +
           writer.mark(writer.plan().settings.captured_mark);
}

/// True: what a redirect takes over later was marked, so that no tproxy behind it takes it.
bool add_captures(IptablesWriter& writer)
{
    const Plan& plan = writer.plan();
    const std::uint32_t left = plan.settings.own_mark;
    bool marks = false;
    for (std::size_t index = 0; index < plan.captures.size(); ++index) {
        const Capture& capture = plan.captures[index];
        const auto& interfaces = interfaces_of(plan, capture);
        if (!captures_family(capture, writer.v6()) || interfaces.empty()) continue;
        const bool redirect = capture.intercept.mode == Mode::redirect;
        const IptablesWriter::Branch branch{mangle, "captures", "capture-" + std::to_string(index + 1),
                                            redirect ? writer.set_mark(left) : tproxy_to(writer, capture),
                                            what_of(redirect ? "left" : "capture", writer, index)};
        writer.add_branch(branch, capture, interfaces);
        if (redirect) writer.add(mangle, "captures", writer.is_marked(left) + "-j RETURN", "left");
        marks = marks || redirect;
    }
    return marks;
}

void add_prerouting(IptablesWriter& writer)
{
    const Settings& settings = writer.plan().settings;
    writer.lead(mangle, "PREROUTING", "prerouting");
    add_heartbeat(writer);
    writer.add(mangle, "prerouting", writer.is_marked(settings.own_mark) + "-j RETURN", "own");
    if (writer.plan().zones_twins)
        writer.add(mangle, "prerouting", writer.is_marked(twin_mark(settings)) + "-j RETURN", "own twin");
    add_divert(writer);
    writer.add(mangle, "prerouting", writer.is_local() + "-j RETURN", "local");
    if (writer.plan().redirects)
        writer.add(mangle, "prerouting", "-m conntrack --ctstate DNAT -j RETURN", "redirected before");
    writer.add_chain(mangle, "captures");
    writer.add(mangle, "prerouting", "-j " + writer.name("captures"), "captures");
    if (add_captures(writer))
        writer.add(mangle, "prerouting", writer.is_marked(settings.own_mark) + writer.set_mark(0), "left until here");
}

void add_redirects(IptablesWriter& writer)
{
    const Plan& plan = writer.plan();
    if (!plan.redirects) return;
    writer.lead("nat", "PREROUTING", "redirecting");
    writer.add("nat", "redirecting", "-m mark ! --mark " + writer.mark(0) + " -j RETURN", "marked");
    writer.add("nat", "redirecting", writer.is_local() + "-j RETURN", "local redirect");
    writer.lead("filter", "INPUT", "direct-hits");
    for (std::size_t index = 0; index < plan.captures.size(); ++index) {
        const Capture& capture = plan.captures[index];
        const auto& interfaces = interfaces_of(plan, capture);
        if (capture.intercept.mode != Mode::redirect || !captures_family(capture, writer.v6()) || interfaces.empty())
            continue;
        const std::string port = std::to_string(writer.v6() ? capture.port_v6 : capture.port_v4);
        const IptablesWriter::Branch branch{"nat", "redirecting", "redirect-" + std::to_string(index + 1),
                                            writer.alive() + "-j REDIRECT --to-ports " + port,
                                            what_of("redirect", writer, index)};
        writer.add_branch(branch, capture, interfaces);
        // Only while beats come: the port is somebody else's when we are gone.
        writer.add("filter", "direct-hits",
                   "-p tcp --dport " + port + " --tcp-flags SYN,ACK SYN -m conntrack ! --ctstate DNAT " +
                       writer.alive() + "-j REJECT --reject-with tcp-reset",
                   what_of("direct hits", writer, index));
    }
}

void add_zones(IptablesWriter& writer)
{
    const Plan& plan = writer.plan();
    if (!plan.zones_twins && !plan.zones_kept) return;
    const std::string zone = std::to_string(plan.settings.zone);
    const std::string is_twin = writer.is_marked(twin_mark(plan.settings));
    if (plan.zones_twins) {
        writer.lead("raw", "PREROUTING", "zones-in");
        writer.add_chain("raw", "zones-found");
        for (const std::string& interface : interfaces_of_family(writer))
            writer.add("raw", "zones-in",
                       "-i " + interface + " -p tcp " + no_connection + "-m socket --transparent --restore-skmark -j " +
                           writer.name("zones-found"),
                       "answers");
        writer.add("raw", "zones-found", is_twin + "-j CT --zone " + zone, "answers to twins");
        // The mark is the socket's now; a packet that has just come in had none.
        writer.add("raw", "zones-found", "-j MARK --set-xmark 0x0/0xffffffff", "answers");
    }
    writer.lead("raw", "OUTPUT", "zones-out");
    if (plan.zones_twins) writer.add("raw", "zones-out", is_twin + "-j CT --zone " + zone, "twins");
    if (plan.zones_kept)
        writer.add("raw", "zones-out",
                   "-p tcp " + writer.is_marked(plan.settings.own_mark) +
                       "-m addrtype ! --src-type LOCAL -j CT --zone-orig " + zone,
                   "beside NAT");
}

Result<> refused(std::string what) { return Error{Fault::refused, Side::gateway, std::move(what)}; }

Result<> check_interface(const std::string& name)
{
    if (!can_name_for_iptables(name))
        return refused("interface " + name +
                       ": iptables cannot name it (intercept.interfaces); rename it, or use "
                       "kernel.backend: nft");
    return {};
}

} // namespace

/// iptables takes a plus at the end for any letters, and an exclamation mark before it for all others.
bool can_name_for_iptables(std::string_view interface)
{
    return !interface.ends_with('+') && !interface.starts_with('!') && !interface.starts_with('-');
}

Result<> check_for_iptables(const Plan& plan)
{
    if (auto fits = check(plan); !fits) return fits;
    if (plan.settings.table.size() > max_chain_prefix)
        return refused("kernel.table: " + plan.settings.table +
                       " has more than 14 letters, which leaves too few for the names of iptables' chains");
    for (const Capture& capture : plan.captures)
        for (const std::string& name : capture.intercept.interfaces)
            if (auto fits = check_interface(name); !fits) return fits;
    for (const PolicyRule& rule : plan.policy_rules)
        if (auto fits = check_interface(rule.interface); !fits) return fits;
    return {};
}

std::size_t longest_list(const Plan& plan)
{
    std::size_t longest = 0;
    for (const Capture& capture : plan.captures)
        for (const auto* list : {&capture.intercept.to, &capture.intercept.except_from, &capture.intercept.except_to}) {
            const auto of_v6 = [](const Network& network) { return network.address.is_v6(); };
            const auto v6 = static_cast<std::size_t>(std::count_if(list->begin(), list->end(), of_v6));
            longest = std::max({longest, v6, list->size() - v6});
        }
    return longest;
}

bool has_family(const Plan& plan, bool v6)
{
    return std::any_of(plan.captures.begin(), plan.captures.end(),
                       [v6](const Capture& capture) { return captures_family(capture, v6); }) ||
           std::any_of(plan.policy_rules.begin(), plan.policy_rules.end(),
                       [v6](const PolicyRule& rule) { return rule.v6 == v6; });
}

IptablesRules iptables_rules(const Plan& plan, bool v6)
{
    if (!has_family(plan, v6)) return {};
    IptablesWriter writer(plan, v6);
    add_prerouting(writer);
    add_redirects(writer);
    add_zones(writer);
    return std::move(writer).take();
}

} // namespace gw::netfilter
