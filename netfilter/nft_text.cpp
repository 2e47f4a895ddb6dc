#include "netfilter/plan.h"
#include "netfilter/rules.h"

namespace gw::netfilter {
namespace {

// After the marks others restore from conntrack at `mangle` (-150), or ours would be overwritten; before `dstnat`
// (-100), so the destination is still the one the client meant.
constexpr std::string_view base_chain = "{ type filter hook prerouting priority mangle + 5; policy accept; }";

} // namespace

// The chains stay and only their rules are exchanged, so a packet sees all of the old rules or all of the new ones.
// With a table deleted and made again it could meet the new chain a moment too early and the old one a moment too late.
// Sets are inside the rules, so nothing else can be left over.
std::string nft_text(const Plan& plan, bool owned)
{
    const std::string table = "inet " + plan.settings.table;
    std::string text = "add table " + table + (owned ? " { flags owner; }\n" : "\n");
    text.append("add chain ").append(table).append(" ").append(divert_chain).append("\n");
    text.append("add chain ").append(table).append(" ").append(prerouting_chain).append(" ").append(base_chain);
    text.append("\n");
    for (const std::string_view chain : {prerouting_chain, divert_chain})
        text.append("flush chain ").append(table).append(" ").append(chain).append("\n");
    for (const Rule& rule : rules_of(plan)) {
        text.append("add rule ").append(table).append(" ").append(rule.chain).append(" ").append(rule.text);
        text.append(" comment \"").append(rule.comment).append("\"\n");
    }
    return text;
}

} // namespace gw::netfilter
