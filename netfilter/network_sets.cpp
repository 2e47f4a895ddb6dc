#include "netfilter/network_sets.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstdio>

namespace gw::netfilter {
namespace {

constexpr std::size_t digest_letters = 12; // with the longest name of a table 29 letters; 31 are the most
constexpr std::string_view while_filled = "-t";

/// FNV-1a.
std::string digest_of_all(const std::vector<std::string>& texts)
{
    std::uint64_t digest = 0xcbf29ce484222325;
    for (const std::string& text : texts) {
        for (const char letter : text) digest = (digest ^ static_cast<unsigned char>(letter)) * 0x100000001b3U;
        digest = (digest ^ 0x0aU) * 0x100000001b3U;
    }
    char written[17];
    std::snprintf(written, sizeof written, "%016llx", static_cast<unsigned long long>(digest));
    return {written, digest_letters};
}

std::string prefix_of(const Settings& settings, bool v6) { return settings.table + (v6 ? "-6-" : "-4-"); }

bool is_our_set(const Settings& settings, std::string_view name)
{
    if (name == name_of_trial_set(settings)) return true;
    const bool v6 = name.starts_with(prefix_of(settings, true));
    if (!v6 && !name.starts_with(prefix_of(settings, false))) return false;
    name.remove_prefix(prefix_of(settings, v6).size());
    if (name.ends_with(while_filled)) name.remove_suffix(while_filled.size());
    return name.size() == digest_letters && std::all_of(name.begin(), name.end(), [](char letter) {
               return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
           });
}

/// A set holds no network of length zero, but two that are all of it.
std::vector<std::string> elements_of(const NetworkSet& set)
{
    const std::string all = set.v6 ? "::/0" : "0.0.0.0/0";
    std::vector<std::string> elements;
    for (const std::string& network : set.networks) {
        const bool is_all = network == all;
        if (!is_all) elements.push_back(network);
        for (const char* half : {set.v6 ? "::/1" : "0.0.0.0/1", set.v6 ? "8000::/1" : "128.0.0.0/1"})
            if (is_all && std::find(set.networks.begin(), set.networks.end(), half) == set.networks.end())
                elements.emplace_back(half);
    }
    return elements;
}

std::string name_while_filled(const NetworkSet& set) { return set.name + std::string(while_filled); }

const FoundSet* find(const std::vector<FoundSet>& found, std::string_view name)
{
    const auto at = std::find_if(found.begin(), found.end(), [&](const FoundSet& one) { return one.name == name; });
    return at == found.end() ? nullptr : &*at;
}

std::string_view value_of(std::string_view line, std::string_view key)
{
    return line.starts_with(key) ? line.substr(key.size()) : std::string_view();
}

} // namespace

std::vector<std::string> networks_of(const std::vector<Network>& networks, bool v6)
{
    std::vector<Network> sorted;
    for (const Network& network : networks)
        if (network.address.is_v6() == v6) sorted.push_back(network);
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    std::vector<std::string> texts;
    for (const Network& network : sorted)
        texts.push_back(network.address.text() + '/' + std::to_string(network.prefix));
    return texts;
}

NetworkSet network_set(const Settings& settings, bool v6, std::vector<std::string> networks)
{
    return {prefix_of(settings, v6) + digest_of_all(networks), v6, std::move(networks)};
}

std::string name_of_trial_set(const Settings& settings) { return settings.table + "-probe"; }

std::vector<FoundSet> sets_in(const Settings& settings, std::string_view listing)
{
    std::vector<FoundSet> found;
    bool ours = false;
    while (!listing.empty()) {
        const auto end = std::min(listing.find('\n'), listing.size());
        const auto line = listing.substr(0, end);
        listing.remove_prefix(std::min(end + 1, listing.size()));
        if (const auto name = value_of(line, "Name: "); !name.empty()) {
            ours = is_our_set(settings, name);
            if (ours) found.push_back({std::string(name), 0});
        }
        if (const auto number = value_of(line, "Number of entries: "); ours && !number.empty())
            std::from_chars(number.data(), number.data() + number.size(), found.back().size);
    }
    return found;
}

std::string difference(const std::vector<NetworkSet>& wanted, const std::vector<FoundSet>& found)
{
    for (const NetworkSet& set : wanted) {
        const FoundSet* there = find(found, set.name);
        if (there == nullptr) return "set " + set.name;
        if (there->size != elements_of(set).size()) return "networks in set " + set.name;
    }
    return {};
}

std::string set_text(const std::vector<NetworkSet>& wanted, const std::vector<FoundSet>& found)
{
    std::string text;
    for (const NetworkSet& set : wanted) {
        const auto elements = elements_of(set);
        const FoundSet* there = find(found, set.name);
        if (there != nullptr && there->size == elements.size()) continue;
        const std::string filled = name_while_filled(set);
        if (find(found, filled) != nullptr) text += "destroy " + filled + '\n';
        text += "create " + filled + " hash:net family " + (set.v6 ? "inet6" : "inet") + " hashsize " +
                std::to_string(std::bit_ceil(elements.size())) + " maxelem " + std::to_string(elements.size()) + '\n';
        for (const std::string& element : elements) text += "add " + filled + ' ' + element + '\n';
        if (there == nullptr)
            text += "rename " + filled + ' ' + set.name + '\n';
        else
            text += "swap " + filled + ' ' + set.name + "\ndestroy " + filled + '\n';
    }
    return text;
}

std::string end_of_sets(const std::vector<NetworkSet>& wanted, const std::vector<FoundSet>& found)
{
    std::string text;
    for (const FoundSet& one : found) {
        const auto is_it = [&](const NetworkSet& set) { return set.name == one.name; };
        if (std::none_of(wanted.begin(), wanted.end(), is_it)) text += "destroy " + one.name + '\n';
    }
    return text;
}

} // namespace gw::netfilter
