#pragma once

#include "netfilter/doctor/doctor.h"

#include <algorithm>

namespace gw::doctor::testing {

/// A host that is well: two interfaces, forwarding, our policy rules, nobody else.
inline Subject subject_for(std::vector<std::string> to = {"192.0.2.0/24"}, bool keeps = true)
{
    Subject subject;
    Listener listener;
    listener.name = "web";
    listener.where = "gateway.yaml:2:5";
    std::vector<Network> networks;
    for (const auto& network : to) networks.push_back(Network::parse(network).value());
    listener.intercept.to = std::move(networks);
    listener.intercept.ports = {{80, 80}};
    listener.keeps_address = keeps;
    subject.listeners.push_back(listener);
    subject.connections = 1'000;
    subject.backlog = 128;
    subject.daemon_runs = true;
    netfilter::Capture capture{"web", listener.intercept, 40'001, 0};
    subject.plan = netfilter::make_plan({}, {capture}, {"inside", "outside"});
    return subject;
}

inline Journey journey(Journey::Purpose purpose, netfilter::RouteReply::Kind kind, const std::string& interface,
                       const std::string& iif = "", int error = 0)
{
    Journey made;
    made.purpose = purpose;
    made.listener = "web";
    made.question = {Address::parse("192.0.2.1").value(), std::nullopt, iif, 0};
    if (!iif.empty()) made.question.from = Address::parse("198.51.100.2").value();
    made.reply = {kind, error, interface, std::nullopt, 254};
    return made;
}

inline netfilter::HostRule our_rule(const std::string& interface)
{
    const netfilter::Settings ours;
    netfilter::HostRule rule;
    rule.priority = ours.rule_priority;
    rule.table = ours.route_table;
    rule.mark = ours.captured_mark;
    rule.mask = ours.mark_mask;
    rule.iif = interface;
    rule.protocol = ours.route_protocol;
    return rule;
}

inline Facts healthy_facts()
{
    using Kind = netfilter::RouteReply::Kind;
    Facts facts;
    facts.privileged = true;
    facts.kernel = "6.1";
    const auto interface = [](const char* name, const char* address) {
        netfilter::HostInterface one;
        one.name = name;
        one.up = true;
        one.addresses.push_back({Address::parse(address).value(), 24});
        return one;
    };
    facts.interfaces = {interface("inside", "198.51.100.1"), interface("outside", "192.0.2.254")};
    facts.rules = {our_rule("inside"), our_rule("outside")};
    facts.foreign_routes = 0;
    facts.sysctls = {{"net/ipv4/ip_forward", "1"},
                     {"net/ipv4/conf/all/rp_filter", "0"},
                     {"net/ipv4/conf/all/src_valid_mark", "0"},
                     {"net/ipv4/conf/all/accept_local", "0"},
                     {"net/ipv4/conf/all/route_localnet", "0"},
                     {"net/ipv4/tcp_timestamps", "1"},
                     {"net/ipv4/ip_local_port_range", "32768 60999"},
                     {"net/core/somaxconn", "4096"},
                     {"net/bridge/bridge-nf-call-iptables", "0"},
                     {"net/netfilter/nf_conntrack_count", "10"},
                     {"net/netfilter/nf_conntrack_max", "1000"}};
    facts.ruleset = Ruleset{};
    facts.features = std::vector<Feature>{{"kernel-nftables", true, ""}, {"kernel-tproxy-ipv4", true, ""}};
    facts.journeys = {journey(Journey::Purpose::to_server, Kind::forwarded, "outside"),
                      journey(Journey::Purpose::captured, Kind::delivered, "lo", "inside")};
    facts.sockets = std::vector<netfilter::ListeningSocket>{{{Address::v4({127, 0, 0, 1}), 40'001}}};
    facts.descriptors.emplace().hard = 1'000'000;
    return facts;
}

/// The findings of that name that are worse than ok.
inline std::vector<Finding> found(const std::vector<Finding>& all, std::string_view id)
{
    std::vector<Finding> of;
    std::copy_if(all.begin(), all.end(), std::back_inserter(of),
                 [&](const Finding& one) { return one.id == id && one.severity != Severity::ok; });
    return of;
}

/// "add-type rules": the JSON of chains and rules, as `nft -j list ruleset` wraps them.
inline std::string listing(const std::string& entries) { return "{\"nftables\":[" + entries + "]}"; }

inline std::string base_chain(const std::string& table, const std::string& name, const std::string& hook,
                              int priority = 0, const std::string& policy = "accept",
                              const std::string& type = "filter", const std::string& family = "inet")
{
    return R"({"chain":{"family":")" + family + R"(","table":")" + table + R"(","name":")" + name +
           R"(","handle":1,"type":")" + type + R"(","hook":")" + hook + R"(","prio":)" + std::to_string(priority) +
           R"(,"policy":")" + policy + "\"}}";
}

inline std::string plain_chain(const std::string& table, const std::string& name)
{
    return R"({"chain":{"family":"inet","table":")" + table + R"(","name":")" + name + R"(","handle":2}})";
}

inline std::string rule(const std::string& table, const std::string& chain, const std::string& expressions,
                        int handle = 7, const std::string& family = "inet")
{
    return R"({"rule":{"family":")" + family + R"(","table":")" + table + R"(","chain":")" + chain + R"(","handle":)" +
           std::to_string(handle) + R"(,"expr":[)" + expressions + "]}}";
}

} // namespace gw::doctor::testing
