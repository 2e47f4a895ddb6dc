#include "gateway/config/apply.h"
#include "gateway/config/judge.h"
#include "gateway/config/vocabulary.h"

namespace gw::config {

namespace {

constexpr std::uint64_t largest_score = 10'000;
constexpr std::uint64_t largest_inspected_bytes = 64 * 1024 * 1024;

waf::Mode mode_in(const Node& node)
{
    return node.text == "block" ? waf::Mode::block : node.text == "detect" ? waf::Mode::detect : waf::Mode::off;
}

void apply_targets(Draft& d, const Node& n)
{
    for (std::size_t at = 0; at + 1 < n.items.size(); at += 2)
        d.in_policy->disable_targets[static_cast<std::uint32_t>(integer_in(n.items[at]))] = texts_in(n.items[at + 1]);
}

Key mode(std::string_view standard)
{
    return {"mode", word({{"off"}, {"detect"}, {"block"}}), standard,
            "`off`; `detect` writes into the log what would have been refused; `block` refuses it.",
            [](Draft& d, const Node& n) { d.in_policy->mode = mode_in(n); }};
}

Key paranoia(std::string_view standard)
{
    return {"paranoia", integer(1, 4), standard, "Paranoia level of the rule set: more rules, and more false alarms.",
            [](Draft& d, const Node& n) { d.in_policy->paranoia = static_cast<int>(integer_in(n)); }};
}

Key thresholds(std::string_view request, std::string_view response)
{
    return {"thresholds",
            mapping({
                {"request", integer(1, largest_score), request, "Score at which a request is refused.",
                 [](Draft& d, const Node& n) { d.in_policy->request_threshold = static_cast<int>(integer_in(n)); }},
                {"response", integer(1, largest_score), response, "Score at which a response is refused.",
                 [](Draft& d, const Node& n) { d.in_policy->response_threshold = static_cast<int>(integer_in(n)); }},
            }),
            {},
            "How much suspicion it takes."};
}

Key disable_rules()
{
    return {"disable_rules",
            list(integer(1, largest_rule_id), 0, 10'000),
            {},
            "Numbers of rules that are not used.",
            [](Draft& d, const Node& n) {
                for (const auto& item : n.items)
                    d.in_policy->disable_rules.push_back(static_cast<std::uint32_t>(integer_in(item)));
            }};
}

Key disable_targets()
{
    return {"disable_targets",
            dictionary(text("the number of a rule", judge_rule_id, integer_pattern),
                       list(text("what a rule looks at", judge_rule_target, "^[A-Z_]+(:.+)?$"), 1, 1'000)),
            {},
            "For the rule with this number, what it is not to look at, such as `ARGS:html`.",
            apply_targets};
}

Key rules()
{
    auto files = list(text("a file name", judge_file, "^/"), 1, 1'000);
    files.words = {{"crs"}};
    files.noun = "crs or a list of files";
    return {"rules", files, "crs",
            "The packaged OWASP Core Rule Set (`crs`), or files of SecLang rules to use instead.",
            [](Draft& d, const Node& n) {
                d.settings.waf.crs = n.is_scalar();
                d.settings.waf.rule_files = texts_in(n);
            }};
}

Key bodies()
{
    return {
        "bodies",
        mapping({
            {"request_max", size(1'024, largest_inspected_bytes), "1MiB", "The largest request body that is inspected.",
             [](Draft& d, const Node& n) { d.settings.waf.request_max_bytes = size_in(n); }},
            {"response_max", size(0, largest_inspected_bytes), "512KiB", "That much of a response body is inspected.",
             [](Draft& d, const Node& n) { d.settings.waf.response_max_bytes = size_in(n); }},
            {"over_limit", word({{"reject"}, {"pass_uninspected"}}), "reject",
             "What becomes of a request whose body is larger than `request_max`.",
             [](Draft& d, const Node& n) {
                 d.settings.waf.over_limit =
                     n.text == "reject" ? waf::OverLimit::reject : waf::OverLimit::pass_uninspected;
             }},
        }),
        {},
        "How much of bodies is inspected."};
}

Key on_failure()
{
    return {"on_failure", word({{"block"}, {"pass"}}), "block",
            "What becomes of a request that could not be inspected (the engine crashed, hung or was too busy).",
            [](Draft& d, const Node& n) {
                d.settings.waf.on_failure = n.text == "block" ? waf::OnFailure::block : waf::OnFailure::pass;
            }};
}

} // namespace

Type waf_type()
{
    auto type = mapping({mode("off"), rules(), paranoia("1"), thresholds("5", "4"), disable_rules(), disable_targets(),
                         bodies(), on_failure(), later("ban", "banning of offenders in the kernel"),
                         later("audit", "a log file of its own for the WAF")});
    type.short_for = "mode";
    type.begin = [](Draft& d, const Node&) { d.in_policy = &d.policy; };
    return type;
}

Type route_waf_type()
{
    auto type = mapping({mode({}), paranoia({}), thresholds({}, {}), disable_rules(), disable_targets()});
    type.short_for = "mode";
    type.begin = [](Draft& d, const Node&) { d.in_policy = &d.routes.back().policy; };
    return type;
}

} // namespace gw::config
