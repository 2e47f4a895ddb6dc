#include "netfilter/rules.h"

#include <map>
#include <set>

// What nft prints of one table, as far as it matters here:
//
//   table inet gateway { # progname gatewayd
//       flags owner
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
    std::set<std::string_view> chains;
    std::multimap<std::string_view, Printed> rules; ///< by comment; one without a comment of ours by its whole line
};

Listing parse_listing(std::string_view listing)
{
    constexpr std::string_view chain_lead = "chain ";
    Listing found;
    std::string_view chain;
    while (!listing.empty()) {
        const auto end = listing.find('\n');
        const auto line = trimmed(listing.substr(0, end));
        listing.remove_prefix(end == std::string_view::npos ? listing.size() : end + 1);
        if (line.starts_with(chain_lead)) {
            chain = line.substr(chain_lead.size(), line.find(" {") - chain_lead.size());
            found.chains.insert(chain);
        } else if (line == "}") {
            chain = {};
        } else if (!chain.empty() && !line.empty() && !line.starts_with("type ")) {
            const auto comment = comment_of(line);
            found.rules.insert({comment.empty() ? line : comment, {chain, line, found.rules.size()}});
        }
    }
    return found;
}

std::string wrong_chain(const std::set<std::string_view>& chains, std::string_view captures)
{
    const std::set<std::string_view> expected{prerouting_chain, divert_chain, captures};
    for (const std::string_view chain : expected)
        if (!chains.contains(chain)) return "chain " + std::string(chain);
    for (const std::string_view chain : chains)
        if (!expected.contains(chain)) return "chain " + std::string(chain) + " is not in the plan";
    return {};
}

bool has_word(std::string_view line, std::string_view word)
{
    const auto bounds = [](char letter) { return letter == ' ' || letter == ','; };
    for (auto at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
        const auto after = at + word.size();
        if ((at == 0 || bounds(line[at - 1])) && (after == line.size() || bounds(line[after]))) return true;
    }
    return false;
}

std::string missing_element(const Rule& rule, std::string_view line)
{
    for (const std::string& element : rule.elements)
        if (!has_word(line, element)) return "rule \"" + rule.comment + "\" lacks " + element;
    return {};
}

} // namespace

std::string difference(const Plan& plan, std::string_view captures, std::string_view listing)
{
    const std::string table = "table inet " + plan.settings.table;
    if (!listing.starts_with(table + ' ')) return table;
    if (listing.find("hook prerouting") == std::string_view::npos) return "chain " + std::string(prerouting_chain);
    const auto [chains, printed] = parse_listing(listing);
    if (auto wrong = wrong_chain(chains, captures); !wrong.empty()) return wrong;
    const auto expected = rules_of(plan, captures);
    std::map<std::string_view, std::size_t> last_order;
    for (const Rule& rule : expected) {
        const auto [from, to] = printed.equal_range(rule.comment);
        if (from == to || from->second.chain != rule.chain) return "rule \"" + rule.comment + '"';
        if (std::next(from) != to) return "rule \"" + rule.comment + "\" is there twice";
        if (auto lacks = missing_element(rule, from->second.line); !lacks.empty()) return lacks;
        auto& order = last_order[rule.chain];
        if (from->second.order < order) return "rule \"" + rule.comment + "\" is out of order";
        order = from->second.order;
    }
    if (printed.size() > expected.size()) return table + " has rules that are not in the plan";
    return {};
}

} // namespace gw::netfilter
