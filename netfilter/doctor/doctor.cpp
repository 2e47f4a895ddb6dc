#include "netfilter/doctor/doctor.h"

#include "netfilter/doctor/report.h"

#include <algorithm>
#include <cstdio>

namespace gw::doctor {
namespace {

constexpr Check all_checks[] = {
    {"configuration", "the configuration can be read and is right"},
    {"daemon", "gatewayd answers"},
    {"network-namespace", "this command sees the network that gatewayd sees"},
    {"privilege", "everything may be looked at"},
    {"kernel-nftables", "the kernel has nftables"},
    {"kernel-table-owner", "a table can belong to a process and go with it"},
    {"kernel-tproxy-ipv4", "the kernel can hand IPv4 connections to a listener"},
    {"kernel-tproxy-ipv6", "the kernel can hand IPv6 connections to a listener"},
    {"kernel-socket-match", "the kernel can tell packets of connections that were taken over"},
    {"kernel-fib", "rules can tell what is for this host"},
    {"kernel-nat-redirect", "the kernel has NAT for mode: redirect"},
    {"kernel-set-timeout", "elements of sets can expire"},
    {"iptables", "the program iptables-restore is there, should nft not do"},
    {"kernel-policy-rules", "routing can look at marks"},
    {"kernel-transparent-sockets", "sockets may use addresses of others"},
    {"sysctls", "the kernel's settings can be read"},
    {"forwarding-ipv4", "IPv4 packets are forwarded"},
    {"forwarding-ipv6", "IPv6 packets are forwarded"},
    {"forwarding-interface", "packets are forwarded from every interface that listeners name"},
    {"rp-filter", "packets are not dropped for the way they came"},
    {"src-valid-mark", "marks do not change which sources are believed"},
    {"accept-local", "nobody outside can send with this host's own address"},
    {"route-localnet", "nobody outside can reach 127.0.0.1"},
    {"bridge-netfilter", "bridged packets do not pass through the rules of routed ones"},
    {"tcp-timestamps", "ports of clients can be used again at once"},
    {"conntrack-full", "there is room in the table of connections"},
    {"port-range", "there are enough ports for connections to servers"},
    {"accept-queue", "the kernel queues as many new connections as listeners ask for"},
    {"descriptors", "the daemon may open as many files as its connections need"},
    {"mark-in-policy-rule", "no policy rule of others looks at our bits of the mark"},
    {"mark-overwritten", "no rule of others changes our bits of the mark"},
    {"rule-priority", "no policy rule of others comes before ours"},
    {"route-table", "our routing table is ours alone"},
    {"captured-not-delivered", "routing delivers captured packets to this host"},
    {"server-route", "there is a route to every destination of the listeners"},
    {"destination-is-own", "no listener is to take over this host's own addresses"},
    {"server-on-client-segment", "servers answer through this host"},
    {"prerouting-drops", "no rule drops what is to be captured"},
    {"prerouting-redirects", "no rule of others takes what is to be captured"},
    {"input-drops", "no rule drops captured connections on their way to the listener"},
    {"forward-drops", "no rule drops what is passed on"},
    {"output-drops", "no rule drops what the gateway sends to servers"},
    {"source-rewritten", "no rule rewrites the client's address towards servers"},
    {"iptables-legacy", "all rules of this host can be seen"},
    {"rules-missing", "our table is in the kernel, whole"},
    {"interface-left-out", "the rules can name every interface of this host"},
    {"policy-rule-missing", "there is a policy rule for every interface"},
    {"policy-route-missing", "our routing table has its local route"},
    {"listener-socket-missing", "somebody listens where the rules lead"},
    {"left-behind", "nothing of a daemon that has gone is left"},
    {"service-networkd", "systemd-networkd leaves our policy rules alone"},
    {"service-networkmanager", "NetworkManager does not run here"},
    {"service-firewalld", "firewalld does not run here"},
    {"service-ufw", "ufw does not run here"},
    {"service-docker", "Docker does not run here"},
    {"service-marks", "nothing else that marks packets runs here"},
    {"upstream-name", "names of upstreams can be resolved"},
    {"upstream-unreachable", "upstreams take connections"},
    {"upstream-certificate", "certificates of upstreams are good"},
    {"probe", "a connection of its own arrives at the listener, with its destination"},
};

} // namespace

std::span<const Check> checks() { return all_checks; }

std::string_view name_of(Severity severity)
{
    switch (severity) {
    case Severity::ok: return "ok";
    case Severity::note: return "note";
    case Severity::warning: return "warning";
    case Severity::error: return "error";
    }
    return "error";
}

Severity worst_of(const std::vector<Finding>& findings)
{
    auto worst = Severity::ok;
    for (const auto& finding : findings) worst = std::max(worst, finding.severity);
    return worst;
}

void sort_findings(std::vector<Finding>& findings)
{
    const auto place = [](const Finding& finding) {
        return std::find_if(std::begin(all_checks), std::end(all_checks),
                            [&](const Check& check) { return check.id == finding.id; }) -
               std::begin(all_checks);
    };
    std::stable_sort(findings.begin(), findings.end(), [&](const Finding& a, const Finding& b) {
        return a.severity != b.severity ? a.severity > b.severity : place(a) < place(b);
    });
}

void Report::add(Finding finding)
{
    looked_at(finding.id);
    const auto same = [&](const Finding& other) {
        return other.id == finding.id && other.evidence == finding.evidence && other.mend == finding.mend;
    };
    const auto known = std::find_if(findings_.begin(), findings_.end(), same);
    if (known == findings_.end())
        findings_.push_back(std::move(finding));
    else if (known->severity < finding.severity)
        *known = std::move(finding);
}

std::vector<Finding> Report::finished() const
{
    auto all = findings_;
    for (const auto& check : all_checks) {
        const bool found = std::any_of(findings_.begin(), findings_.end(),
                                       [&](const Finding& finding) { return finding.id == check.id; });
        if (!found && looked_at_.contains(check.id))
            all.push_back({std::string(check.id), Severity::ok, std::string(check.asks), {}, {}, {}});
    }
    sort_findings(all);
    return all;
}

std::string mark_text(std::uint32_t mark, std::uint32_t mask)
{
    char text[32];
    std::snprintf(text, sizeof text, "0x%08x/0x%08x", mark, mask);
    return text;
}

std::string family_text(bool v6) { return v6 ? "IPv6" : "IPv4"; }

std::vector<std::string> arrival_interfaces(const Facts& facts)
{
    std::vector<std::string> names;
    for (const auto& one : facts.interfaces) {
        const bool port = one.port_kind == "bridge" || one.port_kind == "bond" || one.port_kind == "team";
        if (!one.loopback && !port) names.push_back(one.name);
    }
    return names;
}

const netfilter::HostInterface* Facts::interface(std::string_view name) const
{
    const auto found = std::find_if(interfaces.begin(), interfaces.end(),
                                    [&](const netfilter::HostInterface& one) { return one.name == name; });
    return found == interfaces.end() ? nullptr : &*found;
}

std::optional<long long> Facts::sysctl(const std::string& path) const
{
    const auto found = sysctls.find(path);
    if (found == sysctls.end() || found->second.empty()) return std::nullopt;
    char* end = nullptr;
    const auto number = std::strtoll(found->second.c_str(), &end, 10);
    return end == found->second.c_str() ? std::nullopt : std::optional(number);
}

bool Subject::has_family(bool v6) const
{
    return std::any_of(listeners.begin(), listeners.end(), [v6](const Listener& listener) {
        return std::any_of(listener.intercept.to.begin(), listener.intercept.to.end(),
                           [v6](const Network& network) { return network.address.is_v6() == v6; });
    });
}

std::vector<std::string> interfaces_of(const Listener& listener, const std::vector<std::string>& present)
{
    return listener.intercept.interfaces.empty() ? present : listener.intercept.interfaces;
}

std::vector<Finding> diagnose(const Facts& facts, const Subject& subject)
{
    Report report;
    report.looked_at("privilege");
    if (!facts.privileged)
        report.add({"privilege", subject.daemon_runs ? Severity::note : Severity::warning,
                    "without CAP_NET_ADMIN the rules of others and the kernel's abilities cannot be looked at",
                    "not run as root", "nothing by itself: this diagnosis is incomplete", "sudo gatewayctl doctor"});
    diagnose_kernel(facts, subject, report);
    diagnose_sysctls(facts, subject, report);
    diagnose_limits(facts, subject, report);
    diagnose_descriptors(facts, subject, report);
    diagnose_marks(facts, subject, report);
    diagnose_routes(facts, subject, report);
    diagnose_chains(facts, subject, report);
    diagnose_installed(facts, subject, report);
    diagnose_services(facts, subject, report);
    return report.finished();
}

} // namespace gw::doctor
