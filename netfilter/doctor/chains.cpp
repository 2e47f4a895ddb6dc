// Rules of others: what they do to packets that are to be captured, delivered, passed on, or sent to servers.

#include "netfilter/doctor/report.h"

#include <algorithm>
#include <cctype>

namespace gw::doctor {
namespace {

constexpr std::size_t most_packets = 48; ///< asked about one listener at one hook
constexpr std::size_t most_each = 3;     ///< interfaces, networks, ports

/// A packet to a listener, arriving or sent on.
struct Case {
    const Listener* listener;
    Packet packet;
    std::string out; ///< the interface to the server
};

std::vector<std::uint16_t> ports_of(const netfilter::Intercept& intercept)
{
    std::vector<std::uint16_t> ports;
    for (const auto& range : intercept.ports) {
        if (ports.size() >= most_each) break;
        ports.push_back(range.first);
    }
    return ports;
}

std::vector<Case> cases_of(const Facts& facts, const Listener& listener)
{
    std::vector<Case> cases;
    auto interfaces = interfaces_of(listener, arrival_interfaces(facts));
    std::size_t networks = 0;
    for (const auto& journey : facts.journeys) {
        if (journey.purpose != Journey::Purpose::to_server || journey.listener != listener.name) continue;
        if (++networks > most_each) break;
        std::size_t used = 0;
        for (const auto& name : interfaces) {
            // What arrives where its server is comes from no client, unless there is only that interface.
            if (name == journey.reply.interface && interfaces.size() > 1) continue;
            if (++used > most_each) break;
            for (const auto port : ports_of(listener.intercept)) {
                if (cases.size() >= most_packets) return cases;
                Packet packet;
                packet.v6 = journey.question.to.is_v6();
                packet.transport = listener.intercept.transport;
                packet.iif = name;
                packet.destination = journey.question.to;
                packet.port = port;
                packet.to_host = false;
                packet.translated = false;
                cases.push_back({&listener, packet, journey.reply.interface});
            }
        }
    }
    return cases;
}

bool by_iptables(const NftChain& chain)
{
    const bool family = chain.family == "ip" || chain.family == "ip6";
    return family && !chain.name.empty() && std::isupper(static_cast<unsigned char>(chain.name.front())) != 0;
}

std::string number_text(std::uint32_t number)
{
    char text[16];
    std::snprintf(text, sizeof text, "0x%x", number);
    return text;
}

/// A rule at the head of the base chain that lets through what bears `mark` in our bits.
std::string accept_mark(const NftChain& base, const netfilter::Settings& settings, std::uint32_t mark)
{
    if (by_iptables(base))
        return std::string(base.family == "ip6" ? "ip6tables" : "iptables") + " -t " + base.table + " -I " + base.name +
               " -m mark --mark " + number_text(mark) + '/' + number_text(settings.mark_mask) + " -j ACCEPT";
    return "nft insert rule " + base.path() + " meta mark and " + number_text(settings.mark_mask) +
           " == " + number_text(mark) + " accept";
}

std::string accept_translated(const NftChain& base)
{
    if (by_iptables(base))
        return std::string(base.family == "ip6" ? "ip6tables" : "iptables") + " -t " + base.table + " -I " + base.name +
               " -m conntrack --ctstate DNAT -j ACCEPT";
    return "nft insert rule " + base.path() + " ct status dnat accept";
}

/// Both directions: a chain that drops what is new may drop answers, too.
std::string accept_forwarded(const Facts& facts, const NftChain& base, const Case& of)
{
    const auto& in = of.packet.iif;
    if (by_iptables(base)) {
        const std::string program = base.family == "ip6" ? "ip6tables" : "iptables";
        const std::string chain = facts.docker_user_chain && base.name == "FORWARD" ? "DOCKER-USER" : base.name;
        const auto insert = program + " -I " + chain;
        return insert + " -i " + in + " -o " + of.out + " -j ACCEPT && " + insert + " -i " + of.out + " -o " + in +
               " -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT";
    }
    const auto insert = "nft insert rule " + base.path();
    return insert + " iifname " + in + " oifname " + of.out + " accept && " + insert + " iifname " + of.out +
           " oifname " + in + " ct state established,related accept";
}

std::string delete_rule(const Fate& fate)
{
    return "nft delete rule " + fate.chain->path() + " handle " + std::to_string(fate.rule->handle);
}

std::string accept_port(const Fate& fate, const Packet& packet)
{
    return "nft insert rule " + fate.base->path() + ' ' +
           (packet.transport == netfilter::Transport::udp ? "udp" : "tcp") + " dport " +
           std::to_string(packet.port.value_or(0)) + " accept";
}

std::string evidence_of(const Fate& fate)
{
    std::string text = "chain " + fate.chain->path() + ": ";
    if (fate.rule == nullptr) return text + "policy drop";
    const auto words = fate.rule->text.empty() ? "rule" : '"' + fate.rule->text + '"';
    return text + words + " (handle " + std::to_string(fate.rule->handle) + ')';
}

bool drops(const Fate& fate) { return fate.kind == Fate::Kind::dropped || fate.kind == Fate::Kind::rejected; }

std::string packet_text(const Packet& packet)
{
    const auto at = packet.destination->is_v6() ? '[' + packet.destination->text() + ']' : packet.destination->text();
    return std::string(packet.transport == netfilter::Transport::udp ? "UDP" : "TCP") + " to " + at +
           (packet.port ? ':' + std::to_string(*packet.port) : "") + (packet.iif.empty() ? "" : " from " + packet.iif);
}

/// `yes` where it holds for all such packets, else only a note: rules for some clients are what a firewall is for.
Severity grade(const Fate& fate, Severity sure) { return fate.sure == Sure::yes ? sure : Severity::note; }

std::string how_sure(const Fate& fate) { return fate.sure == Sure::yes ? "" : "some of: "; }

void look_at_prerouting(const Facts& facts, const Subject& subject, const Case& of, Report& report)
{
    const auto& ours = subject.settings;
    report.looked_at("prerouting-drops");
    report.looked_at("prerouting-redirects");
    report.looked_at("mark-overwritten");
    for (const auto& fate : fates_of(*facts.ruleset, "prerouting", of.packet, ours.table)) {
        const auto what = how_sure(fate) + packet_text(of.packet);
        const auto who = " (listener " + of.listener->name + ')';
        if (drops(fate))
            report.add({"prerouting-drops", grade(fate, Severity::error), "a rule of somebody else drops " + what + who,
                        evidence_of(fate), "these connections, before or after they are captured",
                        fate.rule ? delete_rule(fate) : accept_port(fate, of.packet)});
        const bool external = of.listener->intercept.mode == netfilter::Mode::external;
        if (fate.kind == Fate::Kind::redirected && !external)
            report.add({"prerouting-redirects", grade(fate, Severity::error),
                        "a rule of somebody else redirects " + what + who, evidence_of(fate),
                        "these connections: they end at another program, or with another destination",
                        delete_rule(fate)});
        if (fate.kind != Fate::Kind::marked || !fate.touches || (*fate.touches & ours.mark_mask) == 0) continue;
        const bool as_own = fate.becomes && (*fate.becomes & ours.mark_mask) == ours.own_mark;
        constexpr std::int64_t our_priority = -145; // mangle + 5
        const bool after = fate.base->priority > our_priority;
        const bool other = !fate.becomes || (*fate.becomes & ours.mark_mask) != ours.captured_mark;
        if (!(after ? other : as_own)) continue;
        report.add({"mark-overwritten", grade(fate, Severity::error),
                    "a rule of somebody else changes bits of the mark that are ours for " + what + who,
                    evidence_of(fate) + "; ours: " + mark_text(ours.captured_mark, ours.mark_mask),
                    after ? "these connections: without our mark they are not delivered to the listener"
                          : "these connections: they look as if the gateway had sent them and are not captured",
                    delete_rule(fate)});
    }
}

void look_at_input(const Facts& facts, const Subject& subject, const Case& of, Report& report)
{
    auto packet = of.packet;
    const auto mode = of.listener->intercept.mode;
    if (mode == netfilter::Mode::external) return;
    if (mode == netfilter::Mode::tproxy) packet.mark = subject.settings.captured_mark;
    // After REDIRECT it is another destination: an address of this host, and the listener's port, not known here.
    if (mode == netfilter::Mode::redirect) {
        packet.destination.reset();
        packet.port.reset();
        packet.to_host = true;
        packet.translated = true;
    }
    report.looked_at("input-drops");
    for (const auto& fate : fates_of(*facts.ruleset, "input", packet, subject.settings.table)) {
        if (!drops(fate)) continue;
        report.add({"input-drops", grade(fate, Severity::error),
                    "a rule of somebody else drops what is captured for listener " + of.listener->name + ": " +
                        how_sure(fate) + packet_text(of.packet),
                    evidence_of(fate), "these connections: packets pass the input chains on their way to the listener",
                    mode == netfilter::Mode::tproxy
                        ? accept_mark(*fate.base, subject.settings, subject.settings.captured_mark)
                        : accept_translated(*fate.base)});
    }
}

void look_at_forward(const Facts& facts, const Subject& subject, const Case& of, Report& report)
{
    if (of.out.empty() || of.out == "lo") return;
    auto packet = of.packet;
    packet.oif = of.out;
    report.looked_at("forward-drops");
    for (const auto& fate : fates_of(*facts.ruleset, "forward", packet, subject.settings.table)) {
        if (!drops(fate)) continue;
        const bool passes = of.listener->intercept.when_down == netfilter::WhenDown::pass;
        report.add({"forward-drops", grade(fate, passes ? Severity::warning : Severity::note),
                    "a rule of somebody else drops what is forwarded from " + packet.iif + " to " + of.out +
                        ", such as " + how_sure(fate) + packet_text(of.packet),
                    evidence_of(fate),
                    passes ? "when_down: pass of listener " + of.listener->name + ", and what is not taken over"
                           : "what is not taken over",
                    accept_forwarded(facts, *fate.base, of)});
    }
}

void look_at_output(const Facts& facts, const Subject& subject, const Case& of, Report& report)
{
    if (of.out.empty() || of.out == "lo") return;
    auto packet = of.packet;
    packet.iif.clear();
    packet.oif = of.out;
    const bool twin = of.listener->keeps_port && of.listener->intercept.mode == netfilter::Mode::tproxy;
    const auto mark = twin ? netfilter::twin_mark(subject.settings) : subject.settings.own_mark;
    packet.mark = mark;
    report.looked_at("output-drops");
    report.looked_at("source-rewritten");
    for (const char* hook : {"output", "postrouting"})
        for (const auto& fate : fates_of(*facts.ruleset, hook, packet, subject.settings.table)) {
            const auto accept = accept_mark(*fate.base, subject.settings, mark);
            if (drops(fate))
                report.add({"output-drops", grade(fate, Severity::error),
                            "a rule of somebody else drops what the gateway sends to servers: " + how_sure(fate) +
                                packet_text(packet) + " on " + of.out,
                            evidence_of(fate), "every connection to there: clients get an answer and then a reset",
                            accept});
            const bool rewrites = fate.kind == Fate::Kind::masqueraded || fate.kind == Fate::Kind::translated;
            if (rewrites && of.listener->keeps_address)
                report.add({"source-rewritten", grade(fate, Severity::warning),
                            "a rule of somebody else rewrites the source of what the gateway sends out on " + of.out,
                            evidence_of(fate),
                            twin ? "client_address: keep_with_port of listener " + of.listener->name +
                                       ": answers of servers are not found any more, connections time out"
                                 : "client_address: keep of listener " + of.listener->name +
                                       ": servers see this host's address",
                            accept});
        }
}

void look_at_bound(const Facts& facts, const Subject& subject, const Bound& bound, Report& report)
{
    if (bound.at.address.is_loopback()) return;
    for (const auto& name : arrival_interfaces(facts)) {
        Packet packet;
        packet.v6 = bound.at.address.is_v6();
        packet.iif = name;
        packet.port = bound.at.port;
        packet.to_host = true;
        if (!bound.at.address.is_unspecified()) packet.destination = bound.at.address;
        report.looked_at("input-drops");
        for (const auto& fate : fates_of(*facts.ruleset, "input", packet, subject.settings.table)) {
            if (!drops(fate)) continue;
            report.add({"input-drops", grade(fate, Severity::error),
                        "a rule of somebody else drops " + how_sure(fate) + "what goes to listener " + bound.listener +
                            " at " + bound.at.text(),
                        evidence_of(fate), "clients of that listener", accept_port(fate, packet)});
        }
    }
}

} // namespace

void diagnose_chains(const Facts& facts, const Subject& subject, Report& report)
{
    if (!facts.legacy_tables.empty()) {
        std::string names;
        for (const auto& name : facts.legacy_tables) names += (names.empty() ? "" : ", ") + name;
        report.add({"iptables-legacy", Severity::note,
                    "tables of iptables-legacy are in use beside nft, and cannot be looked into",
                    "/proc/net/ip_tables_names: " + names, "nothing by itself: rules there may drop or redirect, too",
                    "iptables-legacy-save"});
    } else {
        report.looked_at("iptables-legacy");
    }
    if (!facts.ruleset) return;
    for (const auto& listener : subject.listeners)
        for (const auto& one : cases_of(facts, listener)) {
            look_at_prerouting(facts, subject, one, report);
            look_at_input(facts, subject, one, report);
            look_at_forward(facts, subject, one, report);
            look_at_output(facts, subject, one, report);
        }
    for (const auto& bound : subject.bound) look_at_bound(facts, subject, bound, report);
}

} // namespace gw::doctor
