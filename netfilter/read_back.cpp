#include "netfilter/read_back.h"

#include "netfilter/conntrack_rules.h"

#include <algorithm>
#include <map>

// What nft prints of one table, as far as it matters here:
//
//   table inet gateway { # progname gatewayd
//       flags owner
//       set alive {
//           type mark
//           size 4
//           flags dynamic,timeout
//       }
//
//       chain prerouting {
//           type filter hook prerouting priority mangle + 5; policy accept;
//           fib daddr type { local, broadcast, anycast, multicast } return comment "local"
//           jump captures_a comment "captures"
//       }
//
//       chain captures_a {
//           iifname { "eth0", "eth1" } tcp dport 80 ... counter accept comment "capture 1 IPv4 web"
//       }
//   }

namespace gw::netfilter {
namespace {

struct Printed {
    std::string_view chain;
    std::string_view line;
    std::size_t order = 0;
};

std::string_view trimmed(std::string_view line)
{
    const auto first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return line.substr(first, line.find_last_not_of(" \t") - first + 1);
}

std::string_view comment_of(std::string_view line)
{
    constexpr std::string_view lead = " comment \"";
    const auto at = line.rfind(lead);
    if (at == std::string_view::npos || line.back() != '"') return {};
    const auto from = at + lead.size();
    return line.substr(from, line.size() - 1 - from);
}

struct Listing {
    std::set<std::string, std::less<>> chains;
    std::set<std::string, std::less<>> sets;
    std::multimap<std::string_view, Printed> rules; ///< by comment; one without a comment of ours by its whole line
};

Listing parse_listing(std::string_view listing)
{
    constexpr std::string_view chain_lead = "chain ";
    constexpr std::string_view set_lead = "set ";
    const auto name_after = [](std::string_view lead, std::string_view line) {
        return line.substr(lead.size(), line.find(" {") - lead.size());
    };
    Listing found;
    std::string_view chain;
    while (!listing.empty()) {
        const auto end = listing.find('\n');
        const auto line = trimmed(listing.substr(0, end));
        listing.remove_prefix(end == std::string_view::npos ? listing.size() : end + 1);
        if (line.starts_with(chain_lead)) {
            chain = name_after(chain_lead, line);
            found.chains.emplace(chain);
        } else if (chain.empty() && line.starts_with(set_lead)) {
            found.sets.emplace(name_after(set_lead, line));
        } else if (line == "}") {
            chain = {};
        } else if (!chain.empty() && !line.empty() && !line.starts_with("type ")) {
            const auto comment = comment_of(line);
            found.rules.insert({comment.empty() ? line : comment, {chain, line, found.rules.size()}});
        }
    }
    return found;
}

std::string wrong_chain(const Expected& expected, const Listing& found)
{
    for (const std::string& chain : expected.chains)
        if (!found.chains.contains(chain)) return "chain " + chain;
    for (const std::string& chain : found.chains)
        if (!expected.chains.contains(chain)) return "chain " + chain + " is not in the plan";
    for (const std::string& set : expected.sets)
        if (!found.sets.contains(set)) return "set " + set;
    return {};
}

/// What stands between blanks and commas, sorted; text in quotes is one word.
std::vector<std::string_view> words_of(std::string_view line)
{
    std::vector<std::string_view> words;
    std::size_t from = 0;
    bool quoted = false;
    for (std::size_t at = 0; at <= line.size(); ++at) {
        if (at < line.size() && line[at] == '"') quoted = !quoted;
        if (at < line.size() && (quoted || (line[at] != ' ' && line[at] != ','))) continue;
        if (at > from) words.push_back(line.substr(from, at - from));
        from = at + 1;
    }
    std::sort(words.begin(), words.end());
    return words;
}

/// A rule may have a hundred thousand of them, and the line is as long as they are: both are gone through once.
std::string missing_element(const Rule& rule, std::string_view line)
{
    if (rule.elements.empty()) return {};
    const auto words = words_of(line);
    for (const std::string& element : rule.elements)
        if (!std::binary_search(words.begin(), words.end(), std::string_view(element)))
            return "rule \"" + rule.comment + "\" lacks " + element;
    return {};
}

} // namespace

std::string difference(const Expected& expected, std::string_view listing)
{
    const std::string table = "table inet " + expected.table;
    if (!listing.starts_with(table + ' ')) return table;
    if (listing.find("hook " + expected.hook + ' ') == std::string_view::npos) return "chain " + expected.hook;
    const auto found = parse_listing(listing);
    if (auto wrong = wrong_chain(expected, found); !wrong.empty()) return wrong;
    std::map<std::string_view, std::size_t> last_order;
    for (const Rule& rule : expected.rules) {
        const auto [from, to] = found.rules.equal_range(rule.comment);
        if (from == to || from->second.chain != rule.chain) return "rule \"" + rule.comment + '"';
        if (std::next(from) != to) return "rule \"" + rule.comment + "\" is there twice";
        if (auto lacks = missing_element(rule, from->second.line); !lacks.empty()) return lacks;
        auto& order = last_order[rule.chain];
        if (from->second.order < order) return "rule \"" + rule.comment + "\" is out of order";
        order = from->second.order;
    }
    if (found.rules.size() > expected.rules.size()) return table + " has rules that are not in the plan";
    return {};
}

Expected expected_of(const Plan& plan, std::string_view captures)
{
    Expected expected{plan.settings.table, std::string(prerouting_chain), {}, {}, rules_of(plan, captures)};
    expected.chains = {std::string(prerouting_chain), std::string(divert_chain), std::string(captures)};
    if (plan.redirects) expected.chains.emplace(redirects_of(captures));
    for (const BaseChain& chain : conntrack_chains(plan)) expected.chains.emplace(chain.name);
    if (plan.heartbeat_port != 0) {
        expected.chains.emplace(heartbeat_chain);
        expected.sets.emplace(alive_set);
    }
    return expected;
}

std::string difference(const Plan& plan, std::string_view captures, std::string_view listing)
{
    return difference(expected_of(plan, captures), listing);
}

} // namespace gw::netfilter
