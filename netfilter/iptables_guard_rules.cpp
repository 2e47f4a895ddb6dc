#include "netfilter/guard_text.h"
#include "netfilter/iptables_rule_text.h"
#include "netfilter/rules.h"

#include <algorithm>

// The guard (guard_text.cpp says what it is for) in iptables. Two things are different there:
//
//   reject      Only chains of the table `filter` can. What is rejected behind the captures gets the mark of twins,
//               which nothing has that comes in, and is rejected by that mark where it is forwarded, or delivered to
//               this host by somebody's DNAT.
//   reassembly  of packets in pieces: a target TPROXY in a chain that no packet reaches switches it on, also when the
//               captures have gone.
//   passed      What a listener that is open when down would have had is marked as if it were our own until the end of
//               the refusals (iptables_rules.cpp).

namespace gw::netfilter {
namespace {

std::string verdict_of(const IptablesWriter& writer, std::string_view table, const Intercept& intercept)
{
    const Settings& settings = writer.plan().settings;
    switch (intercept.when_down) {
    case WhenDown::pass: return writer.set_mark(settings.own_mark);
    case WhenDown::drop: return "-j DROP";
    case WhenDown::reject: break;
    }
    return table == "filter" ? "-j " + writer.name("refuse") : writer.set_mark(twin_mark(settings));
}

void add_refusals(IptablesWriter& writer, std::string_view table, std::string_view from)
{
    const Plan& plan = writer.plan();
    const std::uint32_t passed = plan.settings.own_mark;
    writer.add_chain(table, "refusals");
    writer.add(table, from, "-j " + writer.name("refusals"), "refusals");
    writer.add(table, from, writer.is_marked(passed) + writer.set_mark(0), "passed until here");
    const auto last = std::find_if(plan.captures.rbegin(), plan.captures.rend(), is_closed).base();
    for (auto capture = plan.captures.begin(); capture != last; ++capture) {
        if (!is_guarded(*capture, writer.v6())) continue;
        const std::string number = std::to_string(capture - plan.captures.begin() + 1);
        const std::string verdict = verdict_of(writer, table, capture->intercept);
        const IptablesWriter::Branch branch{table, "refusals", "refusal-" + number, verdict,
                                            (is_closed(*capture) ? "refused " : "passed ") + number + writer.family() +
                                                name_in_comment(capture->listener)};
        writer.add_branch(branch, *capture, capture->intercept.interfaces);
        if (verdict.starts_with("-j MARK"))
            writer.add(table, "refusals", "-m mark ! --mark " + writer.mark(0) + " -j RETURN", "settled");
    }
}

void add_early(IptablesWriter& writer)
{
    writer.lead("mangle", "PREROUTING", "early");
    writer.add("mangle", "early", "-m mark ! --mark " + writer.mark(0) + " -j RETURN", "marked");
    writer.add("mangle", "early", writer.is_local() + "-j RETURN", "local");
    add_refusals(writer, "mangle", "early");
}

void add_refuse(IptablesWriter& writer)
{
    const std::string unreachable = writer.v6() ? "icmp6-port-unreachable" : "icmp-port-unreachable";
    writer.add_chain("filter", "refuse");
    writer.add("filter", "refuse", "-p tcp -j REJECT --reject-with tcp-reset", "refuse");
    writer.add("filter", "refuse", "-j REJECT --reject-with " + unreachable, "refuse");
}

} // namespace

IptablesRules iptables_guard(const Plan& plan, bool v6)
{
    const auto is_of_family = [v6](const Capture& capture) { return is_closed(capture) && is_guarded(capture, v6); };
    if (std::none_of(plan.captures.begin(), plan.captures.end(), is_of_family)) return {};
    IptablesWriter writer(plan, v6);
    const std::string refused_early = writer.is_marked(twin_mark(plan.settings)) + "-j " + writer.name("refuse");
    add_refuse(writer);
    writer.lead("filter", "FORWARD", "forward");
    writer.add("filter", "forward", writer.is_marked(plan.settings.captured_mark) + "-j DROP", "undelivered");
    if (sees_early(plan)) {
        writer.add("filter", "forward", refused_early, "refused early");
        writer.lead("filter", "INPUT", "early-input");
        writer.add("filter", "early-input", "! -i lo " + refused_early, "refused early");
        add_early(writer);
    }
    add_refusals(writer, "filter", "forward");
    writer.add_chain("mangle", "reassembly");
    writer.add("mangle", "reassembly",
               "-p tcp -j TPROXY --on-ip " + writer.loopback() + " --on-port 1 --tproxy-mark " + writer.mark(0),
               "never reached");
    return std::move(writer).take();
}

} // namespace gw::netfilter
