#include "gateway/keeper/doctor.h"

#include "gateway/base/log.h"
#include "netfilter/doctor/json.h"

#include <algorithm>
#include <ctime>

namespace gw::keeper {

namespace {

using namespace std::chrono_literals;
using doctor::Finding;
using doctor::Severity;

constexpr auto interval = 10s;
constexpr auto after_a_change = 50ms; // several come together
constexpr auto fresh_for = 1s;        // an answer need not be younger
constexpr int time_share = 100;       // one part of so many may be spent on looking
constexpr int time_share_of_changes = 10;

/// Of the processor: a busy machine is no reason to look less often.
std::chrono::nanoseconds time_of_this_thread()
{
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

/// One line for a list of problems.
std::string line_of(const Finding& finding)
{
    return finding.id + ": " + finding.found + (finding.mend.empty() ? "" : "; mend with: " + finding.mend);
}

bool has(const std::vector<Finding>& findings, const Finding& wanted)
{
    return std::any_of(findings.begin(), findings.end(), [&](const Finding& one) {
        return one.id == wanted.id && one.severity == wanted.severity && one.found == wanted.found;
    });
}

/// What is new or gone since the last look goes to the log once.
void log_changes(const std::vector<Finding>& before, const std::vector<Finding>& now)
{
    for (const auto& one : now)
        if (one.severity >= Severity::warning && !has(before, one)) log::warning("doctor: " + line_of(one));
    for (const auto& one : before)
        if (one.severity >= Severity::warning && !has(now, one)) log::info("doctor: no longer: " + one.id);
}

} // namespace

void HostDoctor::examine()
{
    changed_ = false;
    const auto began = time_of_this_thread();
    auto subject = doctor::subject_of(in_force_.loaded->settings);
    subject.daemon_runs = true;
    if (rules_.installed()) {
        subject.plan = rules_.plan();
        subject.missing = rules_.missing();
    }
    auto facts = doctor::gather(subject, {.features = false, .ruleset = false});
    facts.descriptors = doctor::descriptor_limit_of_this_process();
    auto found = doctor::diagnose(facts, subject);
    log_changes(findings_, found);
    findings_ = std::move(found);
    looked_ = std::chrono::steady_clock::now();
    took_ = time_of_this_thread() - began;
    ++times_;
}

const std::vector<Finding>& HostDoctor::findings()
{
    if (times_ == 0 || std::chrono::steady_clock::now() >= stale_at()) examine();
    return findings_;
}

std::chrono::steady_clock::time_point HostDoctor::stale_at() const
{
    const auto share = changed_ ? time_share_of_changes : time_share;
    return looked_ + std::max<std::chrono::steady_clock::duration>(fresh_for, took_ * share);
}

Task<void> HostDoctor::watch()
{
    while (!ended_) {
        if (in_force_.loaded != nullptr) static_cast<void>(findings());
        if (!changed_) { // nor since the last look, which may have been for somebody who asked
            timer_.expires_after(std::max<std::chrono::steady_clock::duration>(interval, took_ * time_share));
            auto waited = co_await timer_.async_wait(as_outcome);
            (void)waited;
        }
        if (ended_ || !changed_) continue;
        timer_.expires_at(std::max(std::chrono::steady_clock::now() + after_a_change, stale_at()));
        auto paused = co_await timer_.async_wait(as_outcome);
        (void)paused;
    }
}

void HostDoctor::changed()
{
    if (std::exchange(changed_, true)) return;
    timer_.cancel();
}

void HostDoctor::end()
{
    ended_ = true;
    timer_.cancel();
}

link::Answer HostDoctor::answer()
{
    auto list = Json::array();
    for (const auto& finding : findings()) list.push_back(doctor::to_json(finding));
    const auto age = std::chrono::steady_clock::now() - looked_;
    return json_answer(200, {{"worst", doctor::name_of(doctor::worst_of(findings_))},
                             {"age_ms", std::chrono::duration_cast<std::chrono::milliseconds>(age).count()},
                             {"took_us", std::chrono::duration_cast<std::chrono::microseconds>(took_).count()},
                             {"findings", std::move(list)}});
}

void HostDoctor::add_to_status(Json& status)
{
    auto warnings = Json::array();
    auto& problems = status["problems"];
    for (const auto& finding : findings()) {
        if (finding.severity == Severity::error) problems.push_back("doctor: " + line_of(finding));
        if (finding.severity == Severity::warning) warnings.push_back("doctor: " + line_of(finding));
    }
    status["warnings"] = std::move(warnings);
    status["state"] = problems.empty() ? "ok" : "degraded";
}

std::string HostDoctor::metrics() const
{
    std::string text = "# HELP gateway_doctor_findings What gatewayctl doctor finds on this host, by severity.\n"
                       "# TYPE gateway_doctor_findings gauge\n";
    for (const auto severity : {Severity::error, Severity::warning, Severity::note}) {
        const auto count = std::count_if(findings_.begin(), findings_.end(),
                                         [&](const Finding& one) { return one.severity == severity; });
        text += "gateway_doctor_findings{severity=\"" + std::string(doctor::name_of(severity)) + "\"} " +
                std::to_string(count) + '\n';
    }
    text += "# HELP gateway_doctor_seconds Time the last look at the host took.\n"
            "# TYPE gateway_doctor_seconds gauge\ngateway_doctor_seconds " +
            std::to_string(std::chrono::duration<double>(took_).count()) + '\n';
    return text;
}

} // namespace gw::keeper
