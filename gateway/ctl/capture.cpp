#include "gateway/ctl/capture.h"

#include <algorithm>

namespace gw::ctl {

namespace {

std::string joined(const std::vector<netfilter::PortRange>& ranges)
{
    std::string text;
    for (const auto& range : ranges) text += (text.empty() ? "" : ", ") + text_of(range);
    return text;
}

std::string joined(const std::vector<Network>& networks)
{
    std::string text;
    for (const auto& network : networks) text += (text.empty() ? "" : ", ") + network.text();
    return text;
}

const Network* containing(const std::vector<Network>& networks, const Address& address)
{
    const auto found = std::find_if(networks.begin(), networks.end(),
                                    [&](const Network& network) { return network.contains(address); });
    return found == networks.end() ? nullptr : &*found;
}

Fit no(std::string why) { return {Fit::Answer::no, std::move(why), {}}; }

/// What nobody told us, and the rule asks for.
std::vector<std::string> provisos(const netfilter::Intercept& rule, const Packet& packet)
{
    std::vector<std::string> provided;
    std::string interfaces;
    for (const auto& name : rule.interfaces) interfaces += (interfaces.empty() ? "" : " or ") + name;
    if (!interfaces.empty()) provided.push_back("it arrives on " + interfaces);
    if (!packet.client && !rule.except_from.empty())
        provided.push_back("the client is not in " + joined(rule.except_from) + " (ask with --client)");
    return provided;
}

/// The same of rules that we do not know.
std::string others_rules(const intake::ListenerSettings& listener)
{
    std::string all;
    for (const auto& one : listener.bind) all += (all.empty() ? "" : " or ") + one.text();
    return "rules made by somebody else lead it to " + all;
}

Fit fit_of_interception(const netfilter::Intercept& rule, const Packet& packet)
{
    if (rule.transport != netfilter::Transport::tcp) return no("it takes UDP only");
    const auto port = std::to_string(packet.port);
    const auto range = std::find_if(rule.ports.begin(), rule.ports.end(), [&](const netfilter::PortRange& candidate) {
        return candidate.first <= packet.port && packet.port <= candidate.last;
    });
    if (range == rule.ports.end()) return no("port " + port + " is not in its ports " + joined(rule.ports));
    if (packet.client)
        if (const auto* except = containing(rule.except_from, *packet.client))
            return no("the client " + packet.client->text() + " is excepted by except.from " + except->text());
    const auto port_fits = "port " + port + " is in " + text_of(*range);
    if (!packet.destination)
        return {Fit::Answer::unknown, port_fits + "; the destination must be in " + joined(rule.to),
                provisos(rule, packet)};
    const auto destination = packet.destination->text();
    const auto* network = containing(rule.to, *packet.destination);
    if (!network) return no(destination + " is not in its destinations " + joined(rule.to));
    if (const auto* except = containing(rule.except_to, *packet.destination))
        return no("the destination " + destination + " is excepted by except.to " + except->text());
    return {Fit::Answer::yes, destination + " is in " + network->text() + ", " + port_fits, provisos(rule, packet)};
}

Fit fit_of_bind(const std::vector<Endpoint>& bound, const Packet& packet)
{
    std::optional<Fit> weaker;
    bool port_seen = false;
    for (const auto& one : bound) {
        if (one.port != packet.port) continue;
        port_seen = true;
        if (!packet.destination) {
            if (!weaker) weaker = Fit{Fit::Answer::unknown, "it waits at " + one.text(), {}};
        } else if (one.address == *packet.destination) {
            return {Fit::Answer::yes, "it waits at " + one.text(), {}};
        } else if (one.address.is_unspecified() && one.address.is_v6() == packet.destination->is_v6()) {
            weaker = Fit{Fit::Answer::if_own,
                         "it waits at " + one.text(),
                         {packet.destination->text() + " is an address of this gateway"}};
        }
    }
    if (weaker) return *weaker;
    std::string all;
    for (const auto& one : bound) all += (all.empty() ? "" : ", ") + one.text();
    return no((port_seen ? packet.destination->text() : "port " + std::to_string(packet.port)) +
              " is not where it waits (" + all + ')');
}

} // namespace

std::string text_of(const netfilter::PortRange& range)
{
    if (range.first == range.last) return std::to_string(range.first);
    return std::to_string(range.first) + '-' + std::to_string(range.last);
}

Fit fit_of(const intake::ListenerSettings& listener, const Packet& packet)
{
    if (!listener.intercept) return fit_of_bind(listener.bind, packet);
    auto fit = fit_of_interception(*listener.intercept, packet);
    if (listener.is_external() && fit.answer != Fit::Answer::no) fit.provided.push_back(others_rules(listener));
    return fit;
}

std::optional<std::size_t> choose(const std::vector<intake::ListenerSettings>& listeners, const std::vector<Fit>& fits)
{
    const auto first = [&](Fit::Answer answer, bool intercept) -> std::optional<std::size_t> {
        for (std::size_t i = 0; i < listeners.size(); ++i)
            if (fits[i].answer == answer && listeners[i].intercept.has_value() == intercept) return i;
        return std::nullopt;
    };
    for (const auto answer : {Fit::Answer::yes, Fit::Answer::if_own, Fit::Answer::unknown})
        for (const bool intercept : {true, false})
            if (const auto found = first(answer, intercept)) return found;
    return std::nullopt;
}

} // namespace gw::ctl
