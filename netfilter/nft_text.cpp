#include "netfilter/nft_text.h"

#include "netfilter/conntrack_rules.h"
#include "netfilter/rules.h"

#include <algorithm>

// The chains a packet comes through stay and only their rules are exchanged, so it sees all of the old rules or all of
// the new ones. With a table deleted and made again it could meet the new chain a moment too early and the old one a
// moment too late.
//
// That holds for the rules, but not for what is in the sets inside of them. Measured on Linux 6.18: when one
// transaction exchanges rules and brings new sets of intervals (ports, networks) with them, some packets of that moment
// do not match, are not captured, and their connections are lost. So capture rules, which hold those sets, wait in a
// chain of their own, complete, until the next transaction leads packets into it; that one has no such set. The two
// names of that chain take turns.

namespace gw::netfilter {
namespace {

// After the marks others restore from conntrack at `mangle` (-150), or ours would be overwritten; before `dstnat`
// (-100), so the destination is still the one the client meant.
constexpr std::string_view base_chain = "{ type filter hook prerouting priority mangle + 5; policy accept; }";

// Before what others may have there. Never in an exchange: it is the same as long as the table is.
constexpr std::string_view heartbeat_base = "{ type filter hook ingress device \"lo\" priority -10; policy accept; }";
constexpr std::string_view alive_set_type = "{ type mark; size 4; flags dynamic,timeout; }";

std::string table_of(const Settings& settings) { return "inet " + settings.table; }

std::string add_table(const Settings& settings, bool owned)
{
    return "add table " + table_of(settings) + (owned ? " { flags owner; }\n" : "\n");
}

std::string line(std::string_view verb, const Settings& settings, std::string_view chain, std::string_view rest = {})
{
    std::string text(verb);
    text.append(" ").append(table_of(settings)).append(" ").append(chain);
    if (!rest.empty()) text.append(" ").append(rest);
    return text.append("\n");
}

std::string add_entry_chains(const Plan& plan)
{
    std::string text =
        line("add chain", plan.settings, divert_chain) + line("add chain", plan.settings, prerouting_chain, base_chain);
    for (const BaseChain& chain : conntrack_chains(plan))
        text += line("add chain", plan.settings, chain.name, chain.hook);
    return text;
}

std::string flush_entry_chains(const Plan& plan)
{
    std::string text =
        line("flush chain", plan.settings, prerouting_chain) + line("flush chain", plan.settings, divert_chain);
    for (const BaseChain& chain : conntrack_chains(plan)) text += line("flush chain", plan.settings, chain.name);
    return text;
}

/// Those of `before` that `plan` does without.
std::string delete_entry_chains(const Plan& plan, const Plan& before)
{
    const auto kept = conntrack_chains(plan);
    std::string text;
    for (const BaseChain& chain : conntrack_chains(before)) {
        const auto same = [&](const BaseChain& each) { return each.name == chain.name; };
        if (std::any_of(kept.begin(), kept.end(), same)) continue;
        text += line("flush chain", plan.settings, chain.name) + line("delete chain", plan.settings, chain.name);
    }
    return text;
}

std::vector<std::string_view> capture_chains(const Plan& plan, std::string_view captures)
{
    if (plan.redirects) return {captures, redirects_of(captures)};
    return {captures};
}

bool holds_captures(const Rule& rule, std::string_view captures)
{
    return rule.chain == captures || rule.chain == redirects_of(captures);
}

std::string add_empty(const Plan& plan, std::string_view captures)
{
    std::string text;
    for (const auto chain : capture_chains(plan, captures))
        text += line("add chain", plan.settings, chain) + line("flush chain", plan.settings, chain);
    return text;
}

std::string add_heartbeat(const Plan& plan)
{
    if (plan.heartbeat_port == 0) return {};
    return line("add set", plan.settings, alive_set, alive_set_type) +
           line("add chain", plan.settings, heartbeat_chain, heartbeat_base) +
           line("flush chain", plan.settings, heartbeat_chain);
}

std::string add_rule(const Settings& settings, const Rule& rule)
{
    return line("add rule", settings, rule.chain, rule.text + " comment \"" + rule.comment + '"');
}

} // namespace

std::string nft_text(const Plan& plan, bool owned)
{
    std::string text = add_table(plan.settings, owned);
    text += add_heartbeat(plan);
    text += add_entry_chains(plan);
    text += flush_entry_chains(plan);
    text += add_empty(plan, captures_a);
    for (const Rule& rule : rules_of(plan, captures_a)) text += add_rule(plan.settings, rule);
    return text;
}

std::string prepare_text(const Plan& plan, std::string_view captures)
{
    std::string text = add_table(plan.settings, true) + add_empty(plan, captures);
    for (const Rule& rule : rules_of(plan, captures))
        if (holds_captures(rule, captures)) text += add_rule(plan.settings, rule);
    return text;
}

std::string switch_text(const Plan& plan, std::string_view captures, const Plan& before)
{
    std::string text = add_entry_chains(plan) + flush_entry_chains(plan) + delete_entry_chains(plan, before);
    for (const Rule& rule : rules_of(plan, captures))
        if (!holds_captures(rule, captures) && rule.chain != heartbeat_chain) text += add_rule(plan.settings, rule);
    return text;
}

std::string drop_text(const Plan& plan, std::string_view captures)
{
    std::string text = add_empty(plan, captures);
    for (const auto chain : capture_chains(plan, captures)) text += line("delete chain", plan.settings, chain);
    return text;
}

} // namespace gw::netfilter
