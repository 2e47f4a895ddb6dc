#include "netfilter/guard_text.h"

#include <algorithm>
#include <cstdio>

// The rules of a packet that is about to be forwarded, in order:
//
//   undelivered  captured, but the policy rule or route that brings it here is missing at this moment: dropped, and the
//                client sends it again
//   refusals     everything else goes on in a chain of its own:
//   refused      one rule a closed listener and family, with the match of its captures: what its captures did not take
//   passed       the same of a listener that is open when down and stands before a closed one: it would have had it
//
// What was captured goes to a socket of this host and is never forwarded, and what the gateway sends itself is not
// either. So the guard says nothing while all is well, and can stand before the captures and after them.
//
// A packet meets the refusals once before that, right behind the captures by tproxy (chain `early`), where its
// destination is still the one the client meant: a DNAT of others would show `forward` another one.
//
//   marked       captured, or of the gateway itself
//   local        what is for this host, or for many hosts, is never captured
//
// A capture by redirect comes later than that, with NAT: with one of them there is no `early`.
//
// Only the first piece of a packet in pieces has ports. The captures have pieces put together before any rule sees them
// (rules.cpp), but when they are gone, that is gone with them. So the guard has a rule by tproxy, too, in a chain that
// no packet reaches: that it is there is enough.
//
// A capture without interfaces is of every interface here, also of one that comes while nobody makes new plans.

namespace gw::netfilter {
namespace {

// Before `filter` (0), where others may have a say.
constexpr std::string_view forward_base = "{ type filter hook forward priority filter - 5; policy accept; }";
// Right behind the captures (nft_text.cpp).
constexpr std::string_view early_base = "{ type filter hook prerouting priority mangle + 6; policy accept; }";

std::string hex(std::uint64_t number, int digits)
{
    char text[20];
    std::snprintf(text, sizeof text, "%0*llx", digits, static_cast<unsigned long long>(number));
    return text;
}

/// FNV-1a. Reading back looks for what is missing; this also tells rules apart that only say less.
std::uint64_t digest_of(const std::vector<Rule>& rules)
{
    std::uint64_t digest = 0xcbf29ce484222325;
    for (const Rule& rule : rules)
        for (const char letter : rule.text + '\n' + rule.comment + '\n') {
            digest ^= static_cast<unsigned char>(letter);
            digest *= 0x100000001b3;
        }
    return digest;
}

std::string verdict_of(const Intercept& intercept)
{
    switch (intercept.when_down) {
    case WhenDown::pass: return "counter accept";
    case WhenDown::drop: return "counter drop";
    case WhenDown::reject: break;
    }
    return intercept.transport == Transport::tcp ? "counter reject with tcp reset"
                                                 : "counter reject with icmpx port-unreachable";
}

std::string add(std::string_view what, const Settings& settings, std::string_view chain, std::string_view rest = {})
{
    std::string text(what);
    text.append(" inet ").append(guard_table(settings)).append(" ").append(chain);
    if (!rest.empty()) text.append(" ").append(rest);
    return text.append("\n");
}

std::string add_rules(const Plan& plan, std::string_view refusals, bool of_refusals)
{
    std::string text;
    for (const Rule& rule : guard_rules(plan, refusals))
        if ((rule.chain == refusals) == of_refusals)
            text += add("add rule", plan.settings, rule.chain, rule.text + " comment \"" + rule.comment + '"');
    return text;
}

} // namespace

bool is_guarded(const Capture& capture, bool v6)
{
    if (capture.intercept.mode == Mode::external || capture.intercept.ports.empty()) return false;
    return std::any_of(capture.intercept.to.begin(), capture.intercept.to.end(),
                       [v6](const Network& network) { return network.address.is_v6() == v6; });
}

bool is_closed(const Capture& capture)
{
    return capture.intercept.when_down != WhenDown::pass && (is_guarded(capture, false) || is_guarded(capture, true));
}

bool sees_early(const Plan& plan)
{
    return std::none_of(plan.captures.begin(), plan.captures.end(),
                        [](const Capture& capture) { return capture.intercept.mode == Mode::redirect; });
}

bool needs_guard(const Plan& plan) { return std::any_of(plan.captures.begin(), plan.captures.end(), is_closed); }

std::string guard_table(const Settings& settings) { return settings.table + "_guard"; }

std::vector<Rule> guard_rules(const Plan& plan, std::string_view refusals)
{
    std::vector<Rule> refused;
    const auto last = std::find_if(plan.captures.rbegin(), plan.captures.rend(), is_closed).base();
    for (auto capture = plan.captures.begin(); capture != last; ++capture)
        for (const bool v6 : {false, true}) {
            if (!is_guarded(*capture, v6)) continue;
            Rule rule = match_of(*capture, capture->intercept.interfaces, v6);
            rule.chain = refusals;
            rule.text += verdict_of(capture->intercept);
            rule.comment = (is_closed(*capture) ? "refused " : "passed ") +
                           std::to_string(capture - plan.captures.begin() + 1) + (v6 ? " IPv6 " : " IPv4 ") +
                           name_in_comment(capture->listener);
            refused.push_back(std::move(rule));
        }
    const std::string forward(forward_chain);
    const std::string early(early_chain);
    const std::string jump = "jump " + std::string(refusals);
    const std::string digest = hex(digest_of(refused), 16);
    const std::string mark = "meta mark & 0x" + hex(plan.settings.mark_mask, 8);
    std::vector<Rule> rules;
    if (sees_early(plan)) {
        rules.push_back({early, mark + " != 0x00000000 return", "marked", {}});
        rules.push_back({early, "fib daddr type { local, broadcast, anycast, multicast } return", "local", {}});
        rules.push_back({early, jump, "early refusals " + digest, {std::string(refusals)}});
    }
    rules.push_back(
        {forward, mark + " == 0x" + hex(plan.settings.captured_mark, 8) + " counter drop", "undelivered", {}});
    rules.push_back({forward, jump, "refusals " + digest, {std::string(refusals)}});
    rules.insert(rules.end(), std::make_move_iterator(refused.begin()), std::make_move_iterator(refused.end()));
    rules.push_back({std::string(reassembly_chain), "meta l4proto tcp tproxy to :1", "never reached", {}});
    return rules;
}

std::string guard_text(const Plan& plan)
{
    return prepare_guard_text(plan, refusals_a) + switch_guard_text(plan, refusals_a);
}

std::string prepare_guard_text(const Plan& plan, std::string_view refusals)
{
    return "add table inet " + guard_table(plan.settings) + '\n' + add("add chain", plan.settings, refusals) +
           add("flush chain", plan.settings, refusals) + add_rules(plan, refusals, true);
}

std::string switch_guard_text(const Plan& plan, std::string_view refusals)
{
    return add("add chain", plan.settings, early_chain, early_base) + add("flush chain", plan.settings, early_chain) +
           (sees_early(plan) ? std::string() : add("delete chain", plan.settings, early_chain)) +
           add("add chain", plan.settings, forward_chain, forward_base) +
           add("flush chain", plan.settings, forward_chain) + add("add chain", plan.settings, reassembly_chain) +
           add("flush chain", plan.settings, reassembly_chain) + add_rules(plan, refusals, false);
}

std::string drop_guard_text(const Settings& settings, std::string_view refusals)
{
    return add("add chain", settings, refusals) + add("flush chain", settings, refusals) +
           add("delete chain", settings, refusals);
}

Expected expected_guard(const Plan& plan, std::string_view refusals)
{
    Expected expected{guard_table(plan.settings),
                      std::string(forward_chain),
                      {std::string(forward_chain), std::string(refusals), std::string(reassembly_chain)},
                      {},
                      guard_rules(plan, refusals)};
    if (sees_early(plan)) expected.chains.emplace(early_chain);
    return expected;
}

std::string_view refusals_in(std::string_view listing)
{
    return listing.find("jump refusals_b ") == std::string_view::npos ? refusals_a : refusals_b;
}

std::string all_text(const Plan& plan)
{
    std::string text = nft_text(plan);
    if (needs_guard(plan)) text += '\n' + guard_text(plan);
    return text;
}

} // namespace gw::netfilter
