#include "gateway/ctl/doctor.h"

#include "netfilter/doctor/json.h"

#include <algorithm>

namespace gw::ctl {

namespace {

using doctor::Finding;
using doctor::Severity;

constexpr std::size_t label_width = 9;

Colour colour_of(Severity severity)
{
    switch (severity) {
    case Severity::ok: return Colour::green;
    case Severity::note: return Colour::none;
    case Severity::warning: return Colour::yellow;
    case Severity::error: return Colour::red;
    }
    return Colour::red;
}

std::string padded(std::string_view label)
{
    std::string text(label);
    text.resize(std::max(text.size() + 1, label_width), ' ');
    return text;
}

/// Words that do not fit go to the next line, under the first.
std::string wrapped(const std::string& text, std::size_t width)
{
    if (width <= label_width + 20) return text;
    const auto room = width - label_width;
    std::string lines, line;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find(' ', at), text.size());
        const auto word = text.substr(at, end - at);
        at = end + 1;
        if (!line.empty() && line.size() + 1 + word.size() > room) {
            lines += line + '\n' + std::string(label_width, ' ');
            line.clear();
        }
        line += (line.empty() ? "" : " ") + word;
    }
    return lines + line;
}

std::string part(const Look& look, std::string_view label, const std::string& text, bool as_is = false)
{
    if (text.empty()) return {};
    const auto shown = harmless(text);
    return paint(look, Colour::faint, padded(label)) + (as_is ? shown : wrapped(shown, look.width)) + '\n';
}

/// A command stays on one line, so that it can be copied.
std::string block(const Finding& finding, const Look& look)
{
    auto text = paint(look, colour_of(finding.severity), padded(doctor::name_of(finding.severity))) +
                paint(look, Colour::strong, plain(finding.id)) + '\n';
    text += part(look, "found", finding.found) + part(look, "see", finding.evidence);
    return text + part(look, "breaks", finding.breaks) + part(look, "mend", finding.mend, true) + '\n';
}

std::size_t count_of(const Examination& examination, Severity severity)
{
    return static_cast<std::size_t>(std::count_if(examination.findings.begin(), examination.findings.end(),
                                                  [&](const Finding& one) { return one.severity == severity; }));
}

} // namespace

std::string examination_text(const Examination& examination, bool all, const Look& look)
{
    std::string text;
    for (const auto& finding : examination.findings)
        if (finding.severity != Severity::ok) text += block(finding, look);
    if (all)
        for (const auto& finding : examination.findings)
            if (finding.severity == Severity::ok)
                text +=
                    paint(look, Colour::green, padded("ok")) + plain(finding.id) + ": " + plain(finding.found) + '\n';
    text += counted(count_of(examination, Severity::error), "error", "errors") + ", " +
            counted(count_of(examination, Severity::warning), "warning", "warnings") + ", " +
            counted(count_of(examination, Severity::note), "note", "notes") + ", " +
            std::to_string(count_of(examination, Severity::ok)) + " ok; configuration " + plain(examination.file);
    return text + (examination.daemon ? ", gatewayd asked\n" : ", without gatewayd\n");
}

Json examination_json(const Examination& examination)
{
    const auto worst = doctor::worst_of(examination.findings);
    Json json{{"ok", worst <= Severity::note}, {"worst", doctor::name_of(worst)}, {"config_file", examination.file},
              {"daemon", examination.daemon},  {"took_ms", examination.took_ms},  {"counts", Json::object()},
              {"findings", Json::array()}};
    for (const auto severity : {Severity::error, Severity::warning, Severity::note, Severity::ok})
        json["counts"][std::string(doctor::name_of(severity))] = count_of(examination, severity);
    for (const auto& finding : examination.findings) json["findings"].push_back(doctor::to_json(finding));
    return json;
}

} // namespace gw::ctl
