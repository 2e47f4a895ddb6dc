// What the kernel can do, how it is set, and how much room there is.

#include "netfilter/doctor/report.h"

#include <algorithm>
#include <sstream>

namespace gw::doctor {
namespace {

constexpr long long few_ports = 8'192;

std::string file_of(const std::string& sysctl) { return "/proc/sys/" + sysctl; }

/// "sysctl -w net.ipv4.ip_forward=1"; with slashes when a name in it has a dot.
std::string sysctl_command(std::string path, const std::string& value)
{
    if (path.find('.') == std::string::npos) std::replace(path.begin(), path.end(), '/', '.');
    return "sysctl -w " + path + '=' + value;
}

std::string evidence_of(const Facts& facts, const std::string& path)
{
    const auto found = facts.sysctls.find(path);
    return file_of(path) + " is " + (found == facts.sysctls.end() ? "absent" : found->second);
}

std::string conf(bool v6, const std::string& interface, const char* name)
{
    return std::string("net/") + (v6 ? "ipv6" : "ipv4") + "/conf/" + interface + '/' + name;
}

struct FeatureText {
    std::string_view id;
    std::string_view what;
    std::string_view breaks;
    std::string_view mend;
};
constexpr FeatureText feature_texts[] = {
    {"kernel-nftables", "nftables", "interception: there is nothing to hold its rules", "modprobe nf_tables"},
    {"kernel-table-owner", "nft tables with an owner (Linux 5.12 or later)",
     "rules that go with a daemon that dies: gatewayd does not start without",
     "apt install linux-image-amd64 && systemctl reboot"},
    {"kernel-tproxy-ipv4", "nft tproxy for IPv4", "mode: tproxy for IPv4 destinations", "modprobe nft_tproxy"},
    {"kernel-tproxy-ipv6", "nft tproxy for IPv6", "mode: tproxy for IPv6 destinations", "modprobe nft_tproxy"},
    {"kernel-socket-match", "nft socket (Linux 5.11 or later)",
     "answers of servers to connections made with a client's address", "modprobe nft_socket"},
    {"kernel-fib", "nft fib", "telling what is for this host itself", "modprobe nft_fib_inet"},
    {"kernel-nat-redirect", "nft redirect", "mode: redirect", "modprobe nft_redir nf_nat"},
    {"kernel-set-timeout", "nft sets with timeouts", "when_down while the daemon hangs, and bans",
     "apt install linux-image-amd64 && systemctl reboot"},
    {"iptables", "iptables-restore", "kernel.backend: iptables", "apt install iptables"},
    {"kernel-policy-rules", "policy rules (CONFIG_IP_MULTIPLE_TABLES)", "mode: tproxy",
     "apt install linux-image-amd64 && systemctl reboot"},
    {"kernel-transparent-sockets", "transparent sockets", "mode: tproxy, and client_address: keep",
     "apt install linux-image-amd64 && systemctl reboot"},
};

/// `iptables`: it is there, and would hold the rules if nft cannot.
bool needs(const Subject& subject, std::string_view feature, bool iptables)
{
    const auto any = [&](auto condition) {
        return std::any_of(subject.listeners.begin(), subject.listeners.end(), condition);
    };
    using netfilter::Backend;
    const auto backend = subject.settings.backend;
    if (feature == "iptables") return backend == Backend::iptables && !subject.listeners.empty();
    const bool is_of_nft = feature != "kernel-policy-rules" && feature != "kernel-transparent-sockets";
    if (is_of_nft && (backend == Backend::iptables || (backend == Backend::automatic && iptables))) return false;
    const auto by_tproxy = [](const Listener& one) { return one.intercept.mode == netfilter::Mode::tproxy; };
    if (feature == "kernel-nat-redirect")
        return any([](const Listener& one) { return one.intercept.mode == netfilter::Mode::redirect; });
    if (feature == "kernel-tproxy-ipv4") return any(by_tproxy) && subject.has_family(false);
    if (feature == "kernel-tproxy-ipv6") return any(by_tproxy) && subject.has_family(true);
    if (feature == "kernel-transparent-sockets")
        return any([&](const Listener& one) { return by_tproxy(one) || one.keeps_address; });
    return !subject.listeners.empty();
}

// --- settings

void look_at_forwarding(const Facts& facts, const Subject& subject, bool v6, Report& report)
{
    const std::string all = v6 ? "net/ipv6/conf/all/forwarding" : "net/ipv4/ip_forward";
    const auto on = facts.sysctl(all);
    if (!on || !subject.has_family(v6)) return;
    const std::string id = v6 ? "forwarding-ipv6" : "forwarding-ipv4";
    report.looked_at(id);
    if (*on == 0) {
        report.add(
            {id, Severity::error, "this host forwards no " + family_text(v6) + " packets", evidence_of(facts, all),
             "everything that is not taken over (other ports, ICMP), and when_down: pass", sysctl_command(all, "1")});
        return; // each interface follows from it
    }
    report.looked_at("forwarding-interface");
    for (const auto& listener : subject.listeners)
        for (const auto& name : interfaces_of(listener, arrival_interfaces(facts))) {
            const auto path = conf(v6, name, "forwarding");
            if (facts.sysctl(path) != 0) continue;
            const bool named = !listener.intercept.interfaces.empty();
            report.add({"forwarding-interface", named ? Severity::error : Severity::note,
                        family_text(v6) + " packets that arrive on " + name + " are not forwarded",
                        evidence_of(facts, path), "what arrives there and is not taken over, and when_down: pass",
                        sysctl_command(path, "1")});
        }
}

/// The kernel takes the larger of the two.
long long larger(const Facts& facts, const std::string& interface, const char* name)
{
    return std::max(facts.sysctl(conf(false, "all", name)).value_or(0),
                    facts.sysctl(conf(false, interface, name)).value_or(0));
}

/// The file that has to change for an interface: that of all interfaces when it rules them.
std::string ruling(const Facts& facts, const std::string& interface, const char* name)
{
    const bool all = facts.sysctl(conf(false, "all", name)).value_or(0) != 0;
    return conf(false, all ? "all" : interface, name);
}

struct Switch {
    const char* name;
    std::string_view id;
    Severity severity;
    std::string_view found;
    std::string_view breaks;
};
constexpr Switch switches[] = {
    {"src_valid_mark", "src-valid-mark", Severity::note,
     "the mark of a packet decides whether its source is believed (VPN programs switch this on)",
     "policy rules for marks without an interface: packets vanish and no counter moves; ours name theirs and are not "
     "affected"},
    {"accept_local", "accept-local", Severity::note, "packets with this host's own address as source are taken",
     "nothing of ours; others on that network can pretend to be this host"},
    {"route_localnet", "route-localnet", Severity::warning, "127.0.0.0/8 can be reached from outside",
     "listeners of interception wait on 127.0.0.1 where only rules lead: neighbours could dial them, and every other "
     "local service"},
};

void look_at_switches(const Facts& facts, Report& report)
{
    for (const auto& one : switches) {
        if (!facts.sysctl(conf(false, "all", one.name))) continue;
        report.looked_at(one.id);
        for (const auto& name : arrival_interfaces(facts)) {
            if (larger(facts, name, one.name) == 0) continue;
            const auto path = ruling(facts, name, one.name);
            report.add({std::string(one.id), one.severity, std::string(one.found), evidence_of(facts, path),
                        std::string(one.breaks), sysctl_command(path, "0")});
        }
    }
}

void look_at_rp_filter(const Facts& facts, Report& report)
{
    if (!facts.sysctl(conf(false, "all", "rp_filter"))) return;
    report.looked_at("rp-filter");
    for (const auto& name : arrival_interfaces(facts)) {
        if (larger(facts, name, "rp_filter") != 1) continue;
        const bool by_all = facts.sysctl(conf(false, "all", "rp_filter")) == 1;
        const auto path = conf(false, by_all ? "all" : name, "rp_filter");
        report.add({"rp-filter", Severity::note,
                    "IPv4 packets are dropped unless the way back to their source leads out where they came in",
                    evidence_of(facts, path),
                    "clients and servers that are reached by one interface and answer by another; loose mode (2) lets "
                    "them pass",
                    sysctl_command(conf(false, by_all ? "all" : name, "rp_filter"), "2")});
    }
}

void look_at_bridges(const Facts& facts, Report& report)
{
    const bool bridges = std::any_of(facts.interfaces.begin(), facts.interfaces.end(),
                                     [](const auto& one) { return one.kind == "bridge"; });
    for (const char* name : {"bridge-nf-call-iptables", "bridge-nf-call-ip6tables"}) {
        const std::string path = std::string("net/bridge/") + name;
        const auto on = facts.sysctl(path);
        if (!on) continue;
        report.looked_at("bridge-netfilter");
        if (*on == 0 || !bridges) continue;
        report.add({"bridge-netfilter", Severity::warning,
                    "packets that are only bridged pass through the rules of routed ones (Docker switches this on)",
                    evidence_of(facts, path),
                    "bridged connections: rules take them over with the wrong interface, and they hang",
                    sysctl_command(path, "0")});
    }
}

void look_at_timestamps(const Facts& facts, const Subject& subject, Report& report)
{
    const bool ports = std::any_of(subject.listeners.begin(), subject.listeners.end(),
                                   [](const Listener& one) { return one.keeps_port; });
    const std::string path = "net/ipv4/tcp_timestamps";
    if (!ports || !facts.sysctl(path)) return;
    report.looked_at("tcp-timestamps");
    if (facts.sysctl(path) != 0) return;
    report.add({"tcp-timestamps", Severity::warning, "TCP timestamps are off", evidence_of(facts, path),
                "client_address: keep_with_port: a client's port cannot be used again for a minute after its "
                "connection ended",
                sysctl_command(path, "1")});
}

// --- room

void look_at_conntrack(const Facts& facts, Report& report)
{
    const auto count = facts.sysctl("net/netfilter/nf_conntrack_count");
    const auto most = facts.sysctl("net/netfilter/nf_conntrack_max");
    if (!count || !most || *most <= 0) return;
    report.looked_at("conntrack-full");
    const auto percent = *count * 100 / *most;
    if (percent < 80) return;
    report.add({"conntrack-full", percent >= 95 ? Severity::error : Severity::warning,
                "the table of tracked connections is " + std::to_string(percent) + " % full",
                evidence_of(facts, "net/netfilter/nf_conntrack_count") + ", the most is " + std::to_string(*most),
                "new connections: the kernel drops their packets when it is full",
                sysctl_command("net/netfilter/nf_conntrack_max", std::to_string(*most * 2))});
}

void look_at_port_range(const Facts& facts, Report& report)
{
    const auto found = facts.sysctls.find("net/ipv4/ip_local_port_range");
    if (found == facts.sysctls.end()) return;
    long long first = 0, last = 0;
    if (!(std::istringstream(found->second) >> first >> last)) return;
    report.looked_at("port-range");
    if (last - first + 1 >= few_ports) return;
    report.add({"port-range", Severity::warning,
                "there are only " + std::to_string(last - first + 1) + " ports for connections that begin here",
                evidence_of(facts, "net/ipv4/ip_local_port_range"),
                "more connections than that at once from one address to one server",
                "sysctl -w net.ipv4.ip_local_port_range=\"32768 60999\""});
}

void look_at_accept_queue(const Facts& facts, const Subject& subject, Report& report)
{
    const auto most = facts.sysctl("net/core/somaxconn");
    if (!most || subject.backlog == 0) return;
    report.looked_at("accept-queue");
    if (static_cast<std::size_t>(*most) >= subject.backlog) return;
    report.add({"accept-queue", Severity::warning,
                "listeners ask for a queue of " + std::to_string(subject.backlog) + " new connections and get " +
                    std::to_string(*most),
                evidence_of(facts, "net/core/somaxconn"), "bursts of new connections: some wait a second or are lost",
                sysctl_command("net/core/somaxconn", std::to_string(subject.backlog))});
}

} // namespace

void diagnose_kernel(const Facts& facts, const Subject& subject, Report& report)
{
    if (!facts.features) return;
    for (const auto& feature : *facts.features) {
        report.looked_at(feature.id);
        if (feature.there) continue;
        const auto* text = std::find_if(std::begin(feature_texts), std::end(feature_texts),
                                        [&](const FeatureText& one) { return one.id == feature.id; });
        if (text == std::end(feature_texts)) continue;
        report.add({feature.id, needs(subject, feature.id, facts.iptables) ? Severity::error : Severity::note,
                    feature.id == "iptables" ? "there is no " + std::string(text->what)
                                             : "the kernel (" + facts.kernel + ") has no " + std::string(text->what),
                    "dry run: " + feature.said, std::string(text->breaks), std::string(text->mend)});
    }
}

void diagnose_sysctls(const Facts& facts, const Subject& subject, Report& report)
{
    report.looked_at("sysctls");
    if (facts.sysctls.empty())
        report.add({"sysctls", Severity::note, "the kernel's settings cannot be read", "/proc/sys is not there",
                    "nothing by itself: forwarding, rp_filter and others are not looked at",
                    "mount -t proc proc /proc"});
    if (subject.listeners.empty()) return;
    for (const bool v6 : {false, true}) look_at_forwarding(facts, subject, v6, report);
    look_at_rp_filter(facts, report);
    look_at_switches(facts, report);
    look_at_bridges(facts, report);
    look_at_timestamps(facts, subject, report);
}

void diagnose_limits(const Facts& facts, const Subject& subject, Report& report)
{
    look_at_conntrack(facts, report);
    look_at_port_range(facts, report);
    look_at_accept_queue(facts, subject, report);
}

} // namespace gw::doctor
