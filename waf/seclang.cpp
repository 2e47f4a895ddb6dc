#include "waf/seclang.h"

#include "waf/inspector.h"

#include <array>
#include <cctype>

namespace gw::waf {

namespace {

constexpr std::array<std::string_view, 7> inspected_types{"text/plain",
                                                          "text/html",
                                                          "text/xml",
                                                          "application/json",
                                                          "application/xml",
                                                          "application/xhtml+xml",
                                                          "application/problem+json"};

// Which processor reads a body. Forms and multipart are the engine's own choice. A body that names no type, or plain
// text, is read as a form: that is how many applications read it, and so every rule that looks at arguments sees it.
constexpr std::string_view body_rules = R"rules(
SecRule REQUEST_HEADERS:Content-Type "@rx (?i)^(?:application(?:/soap\+|/)|text/)xml|\+xml(?:$|[;\s])" "id:77000001,phase:1,t:none,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "@rx (?i)^(?:application|text)/(?:[^\s;]*\+)?json|^application/(?:csp-report|xss-auditor-report)" "id:77000002,phase:1,t:none,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule &REQUEST_HEADERS:Content-Type "@eq 0" "id:77000003,phase:1,t:none,pass,nolog,ctl:requestBodyProcessor=URLENCODED,ctl:forceRequestBodyVariable=On"
SecRule REQUEST_HEADERS:Content-Type "@rx (?i)^(?:\s*$|text/(?!xml|json)|[^/]*$)" "id:77000004,phase:1,t:none,pass,nolog,ctl:requestBodyProcessor=URLENCODED,ctl:forceRequestBodyVariable=On"
SecRule REQBODY_PROCESSOR "!@rx ^(?:URLENCODED|MULTIPART|XML|JSON)$" "id:77000005,phase:1,t:none,pass,nolog,ctl:forceRequestBodyVariable=On"
SecRule REQBODY_ERROR "!@eq 0" "id:77000011,phase:2,t:none,log,deny,status:400,msg:'The request body could not be read as its type says',logdata:'%{REQBODY_ERROR_MSG}',severity:2"
SecRule MULTIPART_STRICT_ERROR "!@eq 0" "id:77000012,phase:2,t:none,log,deny,status:400,msg:'The multipart body breaks the format',severity:2"
SecRule MULTIPART_UNMATCHED_BOUNDARY "@eq 1" "id:77000013,phase:2,t:none,log,deny,status:400,msg:'The multipart body has an unmatched boundary',severity:2"
)rules";

std::string_view engine_state(const Policy& policy) { return policy.mode == Mode::block ? "On" : "DetectionOnly"; }

// What holds whatever the rule files say: no file is written, nothing is fetched, nothing is logged by the engine.
void append_fixed(std::string& text, const Settings& settings)
{
    text += "SecRequestBodyAccess On\nSecResponseBodyAccess On\n";
    text +=
        "SecRequestBodyLimit " + std::to_string(settings.request_max_bytes) + "\nSecRequestBodyLimitAction Reject\n";
    text += "SecRequestBodyNoFilesLimit " + std::to_string(settings.request_max_bytes) + "\n";
    text += "SecRequestBodyJsonDepthLimit 512\n";
    text += "SecResponseBodyLimit " + std::to_string(settings.response_max_bytes) +
            "\nSecResponseBodyLimitAction ProcessPartial\n";
    text += "SecUploadKeepFiles Off\nSecTmpSaveUploadedFiles Off\nSecXmlExternalEntity Off\n";
    text += "SecAuditEngine Off\nSecDebugLogLevel 0\n";
    text += "SecResponseBodyMimeType";
    for (const auto type : inspected_types) (text += ' ') += type;
    text += '\n';
}

void append_include(std::string& text, std::string_view file) { ((text += "Include ") += file) += '\n'; }

void append_crs(std::string& text, const Policy& policy, const CrsFiles& present)
{
    const auto set = [&](std::string_view name, int value) {
        text += ",setvar:tx.";
        (text += name) += "=" + std::to_string(value);
    };
    if (present.setup) append_include(text, crs_setup_file);
    text += "SecAction \"id:77000021,phase:1,t:none,nolog,pass";
    set("paranoia_level", policy.paranoia);
    set("blocking_paranoia_level", policy.paranoia);
    set("executing_paranoia_level", policy.paranoia);
    set("detection_paranoia_level", policy.paranoia);
    set("inbound_anomaly_score_threshold", policy.request_threshold);
    set("outbound_anomaly_score_threshold", policy.response_threshold);
    if (!present.setup) set("crs_setup_version", 334);
    text += "\"\n";
    if (present.before) append_include(text, crs_before_file);
    append_include(text, crs_rules_glob);
    if (present.after) append_include(text, crs_after_file);
}

void append_exceptions(std::string& text, const Policy& policy)
{
    for (const auto id : policy.disable_rules) text += "SecRuleRemoveById " + std::to_string(id) + "\n";
    for (const auto& [id, targets] : policy.disable_targets) {
        for (const auto& target : targets)
            text += "SecRuleUpdateTargetById " + std::to_string(id) + " \"!" + target + "\"\n";
    }
}

} // namespace

std::span<const std::string_view> response_types() { return inspected_types; }

bool inspects_response_type(std::string_view content_type)
{
    const auto type = content_type.substr(0, content_type.find_first_of("; \t"));
    for (const auto known : inspected_types) {
        if (http::same_name(type, known)) return true;
    }
    return false;
}

std::string seclang_of(const Settings& settings, const Policy& policy, const CrsFiles& present)
{
    std::string text;
    ((text += "SecRuleEngine ") += engine_state(policy)) += '\n';
    append_fixed(text, settings);
    text += body_rules;
    if (settings.crs) {
        append_crs(text, policy, present);
    } else {
        for (const auto& file : settings.rule_files) append_include(text, file);
    }
    append_exceptions(text, policy);
    ((text += "SecRuleEngine ") += engine_state(policy)) += '\n';
    append_fixed(text, settings);
    return text;
}

} // namespace gw::waf
