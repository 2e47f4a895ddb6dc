#include "netfilter/doctor/report.h"

#include <algorithm>

namespace gw::doctor {
namespace {

struct Service {
    std::string_view name; ///< of its process
    std::string_view id;
    std::string_view found;
    std::string_view breaks;
    std::string_view mend;
};
constexpr Service services[] = {
    {"NetworkManager", "service-networkmanager", "NetworkManager runs on this host",
     "nothing seen; when it sets an interface up anew it may drop policy rules, which are put back",
     "nmcli device status"},
    {"firewalld", "service-firewalld", "firewalld runs on this host",
     "nothing seen; versions before 1.0 drop everybody's rules at a reload (ours belong to gatewayd and stay)",
     "firewall-cmd --state"},
    {"ufw", "service-ufw", "ufw has rules on this host",
     "nothing seen; its policy for routed packets is to drop (see forward-drops)", "ufw status verbose"},
    {"dockerd", "service-docker", "Docker runs on this host",
     "nothing seen; it makes the policy for forwarded packets drop and switches bridge netfilter on (see forward-drops "
     "and bridge-netfilter)",
     "iptables -S FORWARD"},
    {"tailscaled", "service-marks", "tailscaled runs on this host",
     "nothing seen; it uses bits 0xff0000 of the mark, and switches src_valid_mark on", "ip rule"},
    {"kube-proxy", "service-marks", "kube-proxy runs on this host", "nothing seen; it uses bits 0xc000 of the mark",
     "ip rule"},
    {"cilium-agent", "service-marks", "cilium-agent runs on this host",
     "nothing seen; it uses bits 0xf00 of the mark, and takes packets before nft sees them", "ip rule"},
};

} // namespace

void diagnose_services(const Facts& facts, const Subject& subject, Report& report)
{
    const auto runs = [&](std::string_view name) {
        return std::find(facts.services.begin(), facts.services.end(), name) != facts.services.end();
    };
    report.looked_at("service-networkd");
    constexpr std::uint8_t protocol_kernel = 2;
    if (runs("systemd-networkd") && !facts.networkd_keeps_foreign_rules)
        report.add({"service-networkd",
                    subject.settings.route_protocol == protocol_kernel ? Severity::note : Severity::warning,
                    "systemd-networkd runs and deletes policy rules and routes that it does not know",
                    "/etc/systemd/networkd.conf: ManageForeignRoutingPolicyRules is not no",
                    "nothing seen on systemd 252: it leaves rules of protocol kernel, which ours have; others may not",
                    "mkdir -p /etc/systemd/networkd.conf.d && printf "
                    "'[Network]\\nManageForeignRoutingPolicyRules=no\\nManageForeignRoutes=no\\n' > "
                    "/etc/systemd/networkd.conf.d/gateway.conf && systemctl restart systemd-networkd"});
    for (const auto& service : services) {
        report.looked_at(service.id);
        if (runs(service.name))
            report.add({std::string(service.id), Severity::note, std::string(service.found),
                        "process " + std::string(service.name), std::string(service.breaks),
                        std::string(service.mend)});
    }
}

} // namespace gw::doctor
