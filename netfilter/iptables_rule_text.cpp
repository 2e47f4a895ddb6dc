#include "netfilter/iptables_rule_text.h"

#include "netfilter/intervals.h"
#include "netfilter/rules.h"

#include <algorithm>
#include <cstdio>

namespace gw::netfilter {
namespace {

constexpr std::size_t ports_in_a_rule = 15; // of the match `multiport`, where a range counts twice

/// FNV-1a. Reading back looks for the comments; this tells rules apart that say something else.
std::string digest_of(std::initializer_list<std::string_view> parts)
{
    std::uint32_t digest = 0x811c9dc5;
    for (const std::string_view part : parts) {
        for (const char letter : part) digest = (digest ^ static_cast<unsigned char>(letter)) * 0x01000193U;
        digest = (digest ^ 0x0aU) * 0x01000193U;
    }
    char text[9];
    std::snprintf(text, sizeof text, "%08x", digest);
    return text;
}

/// Matches of destination ports, each with as many as one rule takes.
std::vector<std::string> port_matches(const std::vector<PortRange>& ports)
{
    std::vector<std::string> matches;
    std::string group;
    std::size_t used = 0;
    const auto end_group = [&] {
        if (group.empty()) return;
        const bool single = group.find(',') == std::string::npos;
        matches.push_back((single ? "--dport " : "-m multiport --dports ") + group);
        group.clear();
        used = 0;
    };
    for (std::string text : interval_texts(ports)) {
        const auto dash = text.find('-');
        const std::size_t needs = dash == std::string::npos ? 1 : 2;
        if (dash != std::string::npos) text[dash] = ':';
        if (used + needs > ports_in_a_rule) end_group();
        group += (group.empty() ? "" : ",") + text;
        used += needs;
    }
    end_group();
    return matches;
}

} // namespace

std::string IptablesWriter::name(std::string_view chain) const
{
    return plan_.settings.table + '-' + std::string(chain);
}

void IptablesWriter::push(std::string_view table, std::string chain, std::string text, std::string_view what)
{
    std::string comment = plan_.settings.table + ": " + std::string(what) + ' ' + digest_of({table, chain, text});
    rules_.rules.push_back({std::string(table), std::move(chain), std::move(text), std::move(comment)});
}

void IptablesWriter::add_chain(std::string_view table, std::string_view chain)
{
    rules_.chains.push_back({std::string(table), name(chain)});
}

void IptablesWriter::add(std::string_view table, std::string_view chain, std::string_view text, std::string_view what)
{
    push(table, name(chain), std::string(text), what);
}

void IptablesWriter::lead(std::string_view table, std::string_view from, std::string_view into)
{
    add_chain(table, into);
    push(table, std::string(from), "-j " + name(into), into);
}

const std::string& IptablesWriter::name_of_set(std::vector<std::string> networks)
{
    auto set = network_set(plan_.settings, v6_, std::move(networks));
    auto& sets = rules_.sets;
    const auto known =
        std::find_if(sets.begin(), sets.end(), [&](const NetworkSet& one) { return one.name == set.name; });
    return known == sets.end() ? sets.emplace_back(std::move(set)).name : known->name;
}

void IptablesWriter::add_networks(const Branch& branch, std::string_view where, const std::vector<Network>& networks,
                                  const std::string& then, const std::string& what)
{
    auto texts = networks_of(networks, v6_);
    if (plan_.network_sets && texts.size() >= fewest_in_a_set) {
        const std::string side = where == "-s" ? " src " : " dst ";
        add(branch.table, branch.into, "-m set --match-set " + name_of_set(std::move(texts)) + side + then, what);
        return;
    }
    for (const std::string& network : texts)
        add(branch.table, branch.into, std::string(where) + ' ' + network + ' ' + then, what);
}

void IptablesWriter::add_branch(const Branch& branch, const Capture& capture,
                                const std::vector<std::string>& interfaces)
{
    const Intercept& intercept = capture.intercept;
    add_chain(branch.table, branch.into);
    const std::string protocol = intercept.transport == Transport::udp ? "-p udp " : "-p tcp ";
    std::vector<std::string> arrivals;
    for (const std::string& interface : quoted(interfaces)) arrivals.push_back("-i " + interface + ' ');
    if (arrivals.empty()) arrivals.emplace_back();
    for (const std::string& arrival : arrivals)
        for (const std::string& ports : port_matches(intercept.ports))
            add(branch.table, branch.from, arrival + protocol + ports + " -j " + name(branch.into),
                "for " + branch.what);
    add_networks(branch, "-s", intercept.except_from, "-j RETURN", "not " + branch.what);
    add_networks(branch, "-d", intercept.except_to, "-j RETURN", "not " + branch.what);
    add_networks(branch, "-d", intercept.to, protocol + branch.verdict, branch.what);
}

std::string IptablesWriter::mark(std::uint32_t value) const { return hex(value) + '/' + hex(plan_.settings.mark_mask); }

std::string IptablesWriter::is_marked(std::uint32_t value) const { return "-m mark --mark " + mark(value) + ' '; }

std::string IptablesWriter::set_mark(std::uint32_t value) const { return "-j MARK --set-xmark " + mark(value); }

std::string IptablesWriter::alive_list() const
{
    return "--name " + name(v6_ ? "alive-6-" : "alive-4-") + std::to_string(beat_port()) + " --mask " +
           (v6_ ? "::" : "0.0.0.0") + " --rsource ";
}

std::string IptablesWriter::alive() const
{
    if (beat_port() == 0) return {};
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(heartbeat_lifetime).count();
    return "-m recent --rcheck --seconds " + std::to_string(seconds) + ' ' + alive_list();
}

/// IPv6 has no broadcast, and the match refuses the word.
std::string IptablesWriter::is_local() const
{
    return std::string("-m addrtype --dst-type LOCAL,") + (v6_ ? "" : "BROADCAST,") + "ANYCAST,MULTICAST ";
}

} // namespace gw::netfilter
