#include "netfilter/doctor/facts.h"

#include "gateway/base/descriptor.h"
#include "netfilter/iptables_text.h"
#include "netfilter/nft_context.h"
#include "netfilter/probe.h"
#include "netfilter/program.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace gw::doctor {
namespace {

constexpr std::size_t most_interfaces = 256; ///< whose settings are read
constexpr std::size_t most_networks = 8;     ///< of one listener that routes are asked for
constexpr std::size_t most_arrivals = 4;     ///< interfaces of one listener that routes are asked for
constexpr std::string_view probe_table = "gateway_probe";

std::string first_line_of(const std::string& file)
{
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    std::replace(line.begin(), line.end(), '\t', ' ');
    return line;
}

void read_sysctl(const std::string& path, Facts& into)
{
    std::error_code failed;
    if (!std::filesystem::exists("/proc/sys/" + path, failed)) return;
    into.sysctls[path] = first_line_of("/proc/sys/" + path);
}

void read_sysctls(Facts& facts)
{
    for (const char* path :
         {"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/bridge/bridge-nf-call-iptables",
          "net/bridge/bridge-nf-call-ip6tables", "net/ipv4/tcp_timestamps", "net/netfilter/nf_conntrack_count",
          "net/netfilter/nf_conntrack_max", "net/ipv4/ip_local_port_range", "net/core/somaxconn"})
        read_sysctl(path, facts);
    std::vector<std::string> names{"all"};
    for (const auto& one : facts.interfaces)
        if (names.size() <= most_interfaces) names.push_back(one.name);
    for (const auto& name : names) {
        for (const char* setting : {"forwarding", "rp_filter", "src_valid_mark", "accept_local", "route_localnet"})
            read_sysctl("net/ipv4/conf/" + name + '/' + setting, facts);
        read_sysctl("net/ipv6/conf/" + name + "/forwarding", facts);
    }
}

// --- what the kernel can do

struct Trial {
    const char* id;
    const char* text; ///< added to a table with a chain c, or instead of it when it makes one
};
constexpr Trial trials[] = {
    {"kernel-nftables", ""},
    {"kernel-table-owner", "add table inet gateway_probe { flags owner; }\n"},
    {"kernel-tproxy-ipv4", "add rule inet gateway_probe c tcp dport 1 tproxy ip to 127.0.0.1:1\n"},
    {"kernel-tproxy-ipv6", "add rule inet gateway_probe c tcp dport 1 tproxy ip6 to [::1]:1\n"},
    {"kernel-socket-match", "add rule inet gateway_probe c socket transparent 1 socket wildcard 0\n"},
    {"kernel-fib", "add rule inet gateway_probe c fib daddr type local\n"},
    {"kernel-nat-redirect", "add chain inet gateway_probe n { type nat hook prerouting priority -100; }\n"
                            "add rule inet gateway_probe n tcp dport 1 redirect to :1\n"},
    {"kernel-set-timeout", "add set inet gateway_probe s { type ipv4_addr; flags timeout; timeout 1s; }\n"},
};

Feature transparent_sockets()
{
    Feature feature{"kernel-transparent-sockets", true, {}};
    for (const bool v6 : {false, true}) {
        const Descriptor socket(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (!socket.is_open() && v6) continue; // a host without IPv6
        const int on = 1;
        if (::setsockopt(socket.number(), v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on,
                         sizeof on) == 0)
            continue;
        feature.there = false;
        feature.said = system_error(v6 ? "IPV6_TRANSPARENT" : "IP_TRANSPARENT").cause.message();
    }
    return feature;
}

void try_features(netfilter::NftContext& context, Facts& facts)
{
    const std::string base = "add table inet " + std::string(probe_table) + "\nadd chain inet " +
                             std::string(probe_table) + " c { type filter hook prerouting priority 0; }\n";
    facts.features.emplace();
    for (const auto& trial : trials) {
        const std::string text = trial.text;
        const auto tried = context.try_out(text.starts_with("add table") ? text : base + text);
        facts.features->push_back({trial.id, tried.has_value(), tried ? "" : tried.error().what});
    }
    facts.features->push_back({"iptables", facts.iptables, "iptables-restore is not to be found"});
    facts.features->push_back({"kernel-policy-rules", !facts.rules.empty(), "no policy rules can be listed"});
    facts.features->push_back(transparent_sockets());
}

/// What is read as JSON: whole tables where that can be done, else chain by chain (nft_context.h says why).
std::vector<std::string> questions_for(const std::vector<NftTable>& tables, const Subject& subject)
{
    std::vector<std::string> questions;
    for (const auto& table : tables) {
        const auto name = table.family + ' ' + table.name;
        if (is_own({table.family, table.name, {}, {}, {}}, subject.settings.table)) continue;
        if (!table.flagged) questions.push_back("table " + name);
        if (table.flagged)
            for (const auto& chain : table.chains) questions.push_back("chain " + name + ' ' + chain);
    }
    return questions;
}

/// Ours in chains of iptables are not somebody else's.
void leave_out_ours(Ruleset& all, const netfilter::Settings& settings)
{
    const auto leads_to_ours = [&](const NftRule& rule) {
        return std::any_of(rule.expressions.begin(), rule.expressions.end(), [&](const nlohmann::json& each) {
            const auto jump = each.is_object() ? each.find("jump") : each.end();
            return jump != each.end() && jump->is_object() &&
                   netfilter::is_our_chain(settings, jump->value("target", std::string()));
        });
    };
    std::erase_if(all.chains, [&](const NftChain& chain) { return netfilter::is_our_chain(settings, chain.name); });
    for (auto& chain : all.chains) std::erase_if(chain.rules, leads_to_ours);
}

Result<Ruleset> read_ruleset(netfilter::NftContext& context, const Subject& subject)
{
    using Form = netfilter::NftContext::Form;
    const auto text = context.list("ruleset", Form::text);
    if (!text) return text.error();
    Ruleset all;
    for (const auto& question : questions_for(tables_in(*text), subject)) {
        const auto json = context.list(question, Form::json);
        if (!json) continue; // it went away meanwhile
        auto part = parse_ruleset(*json);
        if (!part) return part.error();
        std::move(part->chains.begin(), part->chains.end(), std::back_inserter(all.chains));
    }
    add_texts(all, *text);
    leave_out_ours(all, subject.settings);
    return all;
}

void read_rules_of_all(const Subject& subject, const Depth& depth, Facts& facts)
{
    facts.iptables = !netfilter::program_file("iptables-restore").empty();
    if (!facts.privileged || (!depth.features && !depth.ruleset)) return;
    auto context = netfilter::NftContext::open();
    if (!context) return facts.unread.push_back(describe(context.error()));
    if (depth.features) try_features(*context, facts);
    if (!depth.ruleset) return;
    auto ruleset = read_ruleset(*context, subject);
    if (!ruleset) return facts.unread.push_back(describe(ruleset.error()));
    facts.docker_user_chain = ruleset->find("ip", "filter", "DOCKER-USER") != nullptr;
    facts.ruleset = std::move(*ruleset);
}

void read_legacy_tables(Facts& facts)
{
    for (const char* file : {"/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"}) {
        std::ifstream in(file);
        for (std::string name; std::getline(in, name);)
            if (std::find(facts.legacy_tables.begin(), facts.legacy_tables.end(), name) == facts.legacy_tables.end())
                facts.legacy_tables.push_back(name);
    }
}

// --- ways

/// Somebody else on the interface's network.
std::optional<Address> neighbour_on(const netfilter::HostInterface& interface, bool v6)
{
    for (const auto& own : interface.addresses) {
        const auto size = own.address.size();
        if (own.address.is_v6() != v6 || own.address.is_link_local() || own.prefix + 2U > size * 8U) continue;
        std::array<std::uint8_t, 16> bytes{};
        std::copy_n(own.address.data(), size, bytes.begin());
        const int low = bytes[size - 1] & 3; // of four neighbouring addresses the outer may be network and broadcast
        bytes[size - 1] = static_cast<std::uint8_t>((bytes[size - 1] & ~3) | (low == 1 ? 2 : 1));
        return size == 16 ? Address::v6(bytes) : Address::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
    }
    return std::nullopt;
}

class Ways {
public:
    Ways(netfilter::HostTables& tables, const Subject& subject, Facts& facts)
        : tables_(tables), subject_(subject), facts_(facts)
    {}

    void ask(const Listener& listener)
    {
        std::size_t networks = 0;
        for (const auto& network : listener.intercept.to) {
            if (++networks > most_networks) break;
            const auto to = address_standing_for(network, facts_.interfaces);
            note(Journey::Purpose::to_server, listener, {to, std::nullopt, "", subject_.settings.own_mark});
            const auto out = facts_.journeys.back().reply.interface;
            const bool captured = listener.intercept.mode == netfilter::Mode::tproxy && subject_.daemon_runs;
            if (captured) ask_arrivals(listener, to, out);
        }
    }

private:
    void ask_arrivals(const Listener& listener, const Address& to, const std::string& out)
    {
        std::size_t arrivals = 0;
        for (const auto& interface : facts_.interfaces) {
            const bool named = listener.intercept.interfaces.empty() ||
                               std::find(listener.intercept.interfaces.begin(), listener.intercept.interfaces.end(),
                                         interface.name) != listener.intercept.interfaces.end();
            if (interface.loopback || !interface.up || !interface.port_kind.empty() || !named) continue;
            if (interface.name == out && listener.intercept.interfaces.empty()) continue;
            const auto client = neighbour_on(interface, to.is_v6());
            if (!client || ++arrivals > most_arrivals) continue;
            const auto mark = subject_.settings.captured_mark;
            note(Journey::Purpose::captured, listener, {to, *client, interface.name, mark});
            if (listener.keeps_address && !out.empty() && out != "lo")
                note(Journey::Purpose::answer_captured, listener, {*client, to, out, mark});
        }
    }

    void note(Journey::Purpose purpose, const Listener& listener, netfilter::RouteQuestion question)
    {
        auto reply = tables_.route(question);
        facts_.journeys.push_back({purpose, listener.name, std::move(question), std::move(reply)});
    }

    netfilter::HostTables& tables_;
    const Subject& subject_;
    Facts& facts_;
};

// --- who else is here

constexpr std::string_view known_services[] = {"systemd-networkd", "NetworkManager", "firewalld",   "dockerd",
                                               "tailscaled",       "kube-proxy",     "cilium-agent"};

/// The kernel cuts the names of processes to 15 letters.
void read_services(Facts& facts)
{
    const auto note = [&](std::string_view name) {
        if (std::find(facts.services.begin(), facts.services.end(), name) == facts.services.end())
            facts.services.emplace_back(name);
    };
    std::error_code failed;
    for (std::filesystem::directory_iterator at("/proc", failed), end; !failed && at != end; at.increment(failed)) {
        const auto name = at->path().filename().string();
        if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) == 0) continue;
        const auto process = first_line_of(at->path().string() + "/comm");
        for (const auto service : known_services)
            if (!process.empty() && process == service.substr(0, 15)) note(service);
    }
    if (facts.ruleset) {
        const auto& chains = facts.ruleset->chains;
        if (std::any_of(chains.begin(), chains.end(), [](const NftChain& one) { return one.name.starts_with("ufw-"); }))
            note("ufw");
    }
}

bool says_no(const std::filesystem::path& file)
{
    std::ifstream in(file);
    bool no = false;
    for (std::string line; std::getline(in, line);) {
        line.erase(std::remove(line.begin(), line.end(), ' '), line.end());
        if (line.starts_with("ManageForeignRoutingPolicyRules="))
            no = line.ends_with("=no") || line.ends_with("=false") || line.ends_with("=0") || line.ends_with("=off");
    }
    return no;
}

bool networkd_keeps_foreign_rules()
{
    bool keeps = says_no("/etc/systemd/networkd.conf");
    for (const char* folder :
         {"/usr/lib/systemd/networkd.conf.d", "/run/systemd/networkd.conf.d", "/etc/systemd/networkd.conf.d"}) {
        std::error_code failed;
        for (std::filesystem::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed))
            if (at->path().extension() == ".conf") keeps = keeps || says_no(at->path());
    }
    return keeps;
}

bool is_own(const Address& address, const std::vector<netfilter::HostInterface>& interfaces)
{
    return std::any_of(interfaces.begin(), interfaces.end(), [&](const netfilter::HostInterface& one) {
        return std::any_of(one.addresses.begin(), one.addresses.end(),
                           [&](const netfilter::HostAddress& own) { return own.address == address; });
    });
}

} // namespace

Address address_standing_for(const Network& network, const std::vector<netfilter::HostInterface>& own)
{
    std::array<std::uint8_t, 16> bytes{};
    const auto size = network.address.size();
    std::copy_n(network.address.data(), size, bytes.begin());
    if (network.prefix == 0) bytes[0] = network.address.is_v6() ? 0x20 : 1; // 0.0.0.1 and ::1 mean other things
    const auto address = [&] {
        return size == 16 ? Address::v6(bytes) : Address::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
    };
    const auto host_bits = size * 8U - network.prefix;
    if (host_bits < 2) return address();
    const int most = host_bits >= 4 ? 14 : (1 << host_bits) - 2;
    for (int host = 1; host <= most; ++host) {
        bytes[size - 1] = static_cast<std::uint8_t>((network.address.data()[size - 1] & ~15) | host);
        if (host_bits < 4) bytes[size - 1] = static_cast<std::uint8_t>(network.address.data()[size - 1] + host);
        if (!is_own(address(), own)) break;
    }
    return address();
}

Facts gather(const Subject& subject, const Depth& depth)
{
    Facts facts;
    facts.privileged = netfilter::may_change_the_network();
    utsname system{};
    if (::uname(&system) == 0) facts.kernel = system.release;
    auto tables = netfilter::HostTables::open();
    if (tables) {
        if (auto interfaces = tables->interfaces()) facts.interfaces = std::move(*interfaces);
        if (auto rules = tables->rules()) facts.rules = std::move(*rules);
        if (auto foreign = tables->foreign_routes(subject.settings.route_table)) facts.foreign_routes = *foreign;
        for (const auto& listener : subject.listeners) Ways(*tables, subject, facts).ask(listener);
    } else {
        facts.unread.push_back(describe(tables.error()));
    }
    if (auto sockets = netfilter::listening_sockets()) facts.sockets = std::move(*sockets);
    read_sysctls(facts);
    read_rules_of_all(subject, depth, facts);
    read_legacy_tables(facts);
    read_services(facts);
    facts.networkd_keeps_foreign_rules = networkd_keeps_foreign_rules();
    return facts;
}

} // namespace gw::doctor
