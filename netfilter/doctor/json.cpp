#include "netfilter/doctor/json.h"

namespace gw::doctor {

nlohmann::ordered_json to_json(const Finding& finding)
{
    return {{"id", finding.id},         {"severity", name_of(finding.severity)},
            {"found", finding.found},   {"evidence", finding.evidence},
            {"breaks", finding.breaks}, {"mend", finding.mend}};
}

std::optional<Finding> finding_of(const nlohmann::ordered_json& json)
{
    if (!json.is_object()) return std::nullopt;
    const auto text = [&](const char* key) -> std::optional<std::string> {
        const auto found = json.find(key);
        return found != json.end() && found->is_string() ? std::optional(found->get<std::string>()) : std::nullopt;
    };
    const auto id = text("id"), severity = text("severity"), found = text("found"), evidence = text("evidence"),
               breaks = text("breaks"), mend = text("mend");
    if (!id || !severity || !found || !evidence || !breaks || !mend) return std::nullopt;
    for (const auto known : {Severity::ok, Severity::note, Severity::warning, Severity::error})
        if (*severity == name_of(known)) return Finding{*id, known, *found, *evidence, *breaks, *mend};
    return std::nullopt;
}

} // namespace gw::doctor
