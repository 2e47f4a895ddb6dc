#include "netfilter/iptables_text.h"

#include <algorithm>
#include <map>

namespace gw::netfilter {
namespace {

/// In the order in which they are written: what refuses is there before what takes away its reason.
constexpr std::string_view tables[] = {"filter", "raw", "nat", "mangle"};

constexpr std::string_view our_chains[] = {
    "prerouting",  "under-way", "divert",      "captures", "redirecting", "direct-hits", "zones-in",   "zones-out",
    "zones-found", "early",     "early-input", "forward",  "refusals",    "refuse",      "reassembly", "probe"};
constexpr std::string_view our_numbered_chains[] = {"capture-", "redirect-", "refusal-"};

bool is_number(std::string_view text)
{
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view next_word(std::string_view& text)
{
    const auto end = std::min(text.find(' '), text.size());
    const auto word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return word;
}

std::string_view next_line(std::string_view& text)
{
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

/// What stands behind `--comment`; ours have neither quotes nor backslashes inside.
std::string_view comment_in(std::string_view line)
{
    constexpr std::string_view option = " --comment ";
    const auto at = line.find(option);
    if (at == std::string_view::npos) return {};
    auto rest = line.substr(at + option.size());
    if (!rest.starts_with('"')) return next_word(rest);
    rest.remove_prefix(1);
    return rest.substr(0, rest.find('"'));
}

/// "gateway: capture 1 IPv4 web 0b1c2d3e" -> "capture 1 IPv4 web"
std::string_view what_in(std::string_view comment)
{
    const auto begin = comment.find(": ");
    if (begin == std::string_view::npos) return comment;
    comment.remove_prefix(begin + 2);
    return comment.substr(0, comment.rfind(' '));
}

std::string line_of(const std::string& place, const IptablesRule& rule)
{
    return place + " -m comment --comment \"" + rule.comment + "\" " + rule.text + '\n';
}

template <class Rules> std::vector<std::string> comments_of(const Rules& rules, const IptablesChain& chain)
{
    std::vector<std::string> comments;
    for (const auto& rule : rules)
        if (rule.table == chain.table && rule.chain == chain.name) comments.push_back(rule.comment);
    return comments;
}

bool has(const std::vector<IptablesChain>& chains, const IptablesChain& chain)
{
    return std::find(chains.begin(), chains.end(), chain) != chains.end();
}

/// Those of the rules' chains that are not there yet.
template <class Rules> void add_chains_of(const Rules& rules, std::vector<IptablesChain>& into)
{
    for (const auto& rule : rules)
        if (const IptablesChain chain{rule.table, rule.chain}; !has(into, chain)) into.push_back(chain);
}

std::string text_of_table(std::string_view table, const IptablesRules& wanted, const FoundIptables& found)
{
    std::string text;
    const auto of_table = [&](const auto& each) { return each.table == table; };
    const auto is_not_wanted = [&](const auto& chain) { return of_table(chain) && !has(wanted.chains, chain); };
    for (const auto& chain : wanted.chains)
        if (of_table(chain)) text += ':' + chain.name + " - [0:0]\n";
    for (const auto& chain : found.chains)
        if (is_not_wanted(chain)) text += ':' + chain.name + " - [0:0]\n";
    for (const auto& rule : found.rules)
        if (of_table(rule) && !has(found.chains, {rule.table, rule.chain})) text += "-D" + rule.line.substr(2) + '\n';
    std::map<std::string, int> places;
    for (const auto& rule : wanted.rules) {
        if (!of_table(rule)) continue;
        const bool ours = has(wanted.chains, {rule.table, rule.chain});
        text +=
            line_of(ours ? "-A " + rule.chain : "-I " + rule.chain + ' ' + std::to_string(++places[rule.chain]), rule);
    }
    for (const auto& chain : found.chains)
        if (is_not_wanted(chain)) text += "-X " + chain.name + '\n';
    return text.empty() ? text : '*' + std::string(table) + '\n' + text + "COMMIT\n";
}

} // namespace

bool FoundIptables::has_rule(std::string_view what) const
{
    return std::any_of(rules.begin(), rules.end(),
                       [&](const Rule& rule) { return what_in(rule.comment).starts_with(what); });
}

bool is_our_chain(const Settings& settings, std::string_view name)
{
    const std::string prefix = settings.table + '-';
    if (!name.starts_with(prefix)) return false;
    name.remove_prefix(prefix.size());
    if (std::find(std::begin(our_chains), std::end(our_chains), name) != std::end(our_chains)) return true;
    return std::any_of(std::begin(our_numbered_chains), std::end(our_numbered_chains), [&](std::string_view numbered) {
        return name.starts_with(numbered) && is_number(name.substr(numbered.size()));
    });
}

FoundIptables ours_in(const Settings& settings, std::string_view saved)
{
    FoundIptables found;
    std::string table;
    const std::string mine = settings.table + ": ";
    while (!saved.empty()) {
        const auto line = next_line(saved);
        if (line.starts_with('*')) table = line.substr(1);
        if (line.starts_with(':')) {
            auto rest = line.substr(1);
            if (const auto name = next_word(rest); is_our_chain(settings, name))
                found.chains.push_back({table, std::string(name)});
        }
        if (!line.starts_with("-A ")) continue;
        auto rest = line.substr(3);
        const auto chain = next_word(rest);
        const auto comment = comment_in(line);
        const bool bears_ours = comment.starts_with(mine);
        if (!bears_ours && !is_our_chain(settings, chain)) continue;
        found.rules.push_back(
            {table, std::string(chain), std::string(line), bears_ours ? std::string(comment) : std::string()});
    }
    return found;
}

std::string difference(const IptablesRules& wanted, const FoundIptables& found)
{
    const auto name = [](const IptablesChain& chain) { return "chain " + chain.name + " of table " + chain.table; };
    for (const auto& chain : wanted.chains)
        if (!has(found.chains, chain)) return name(chain);
    for (const auto& chain : found.chains)
        if (!has(wanted.chains, chain)) return name(chain) + " is not in the plan";
    std::vector<IptablesChain> chains = wanted.chains;
    add_chains_of(wanted.rules, chains);
    add_chains_of(found.rules, chains);
    for (const auto& chain : chains) {
        const auto should = comments_of(wanted.rules, chain);
        const auto is = comments_of(found.rules, chain);
        if (should == is) continue;
        for (const auto& comment : should)
            if (std::find(is.begin(), is.end(), comment) == is.end())
                return std::string(what_in(comment)) + " in " + name(chain);
        return name(chain) + " holds other rules, or in another order";
    }
    return {};
}

std::string restore_text(const IptablesRules& wanted, const FoundIptables& found)
{
    std::string text;
    for (const auto table : tables) text += text_of_table(table, wanted, found);
    return text;
}

IptablesRules joined(IptablesRules rules, IptablesRules guard)
{
    std::move(guard.chains.begin(), guard.chains.end(), std::back_inserter(rules.chains));
    std::move(guard.rules.begin(), guard.rules.end(), std::back_inserter(rules.rules));
    for (NetworkSet& set : guard.sets) {
        const auto is_it = [&](const NetworkSet& one) { return one.name == set.name; };
        if (std::none_of(rules.sets.begin(), rules.sets.end(), is_it)) rules.sets.push_back(std::move(set));
    }
    return rules;
}

std::string iptables_text(const Plan& plan)
{
    std::string text;
    for (const bool v6 : {false, true}) {
        const auto wanted = joined(iptables_rules(plan, v6), iptables_guard(plan, v6));
        const auto rules = restore_text(wanted, {});
        if (rules.empty()) continue;
        if (!wanted.sets.empty()) text += "# ipset restore\n" + set_text(wanted.sets, {});
        text += (v6 ? "# ip6tables-restore --noflush\n" : "# iptables-restore --noflush\n") + rules;
    }
    return text;
}

std::string text_of_backend(const Plan& plan)
{
    return plan.settings.backend == Backend::iptables ? iptables_text(plan) : all_text(plan);
}

} // namespace gw::netfilter
