#include "gateway/ctl/doctor.h"

#include "gateway/ctl/configuration.h"
#include "gateway/ctl/doctor_probe.h"
#include "gateway/ctl/doctor_upstreams.h"
#include "gateway/ctl/reply.h"
#include "netfilter/doctor/json.h"

#include <algorithm>
#include <unistd.h>

namespace gw::ctl {

namespace {

using doctor::Finding;
using doctor::Severity;

constexpr std::chrono::milliseconds upstream_limit{2'000};
constexpr std::chrono::milliseconds daemon_limit{5'000};

/// What is known of the daemon.
struct Daemon {
    Json status;   ///< null: none answered
    Json findings; ///< an array, or null
    std::optional<Error> error{};
    bool other_network = false;
};

Finding ok(std::string_view id)
{
    const auto all = doctor::checks();
    const auto known = std::find_if(all.begin(), all.end(), [&](const doctor::Check& one) { return one.id == id; });
    return {std::string(id), Severity::ok, std::string(known->asks), {}, {}, {}};
}

std::string network_of(const std::string& process)
{
    char name[64]{};
    const auto size = ::readlink(("/proc/" + process + "/ns/net").c_str(), name, sizeof name - 1);
    return size > 0 ? std::string(name, static_cast<std::size_t>(size)) : std::string();
}

Daemon ask_daemon(const Invocation& invocation)
{
    Daemon daemon;
    const Client client(invocation.socket);
    auto status = ask_json(client, "/v1/status", daemon_limit);
    if (!status) {
        daemon.error = status.error();
        return daemon;
    }
    daemon.status = std::move(*status);
    if (auto answer = ask_json(client, "/v1/doctor", daemon_limit)) daemon.findings = list_at(*answer, "findings");
    const auto its = network_of(text_at(daemon.status, "pid"));
    daemon.other_network = !its.empty() && its != network_of("self");
    return daemon;
}

void add_daemon(const Daemon& daemon, const Invocation& invocation, std::vector<Finding>& into)
{
    if (daemon.error) {
        const bool stopped = daemon.error->fault == Fault::refused;
        into.push_back({"daemon", stopped ? Severity::note : Severity::warning,
                        stopped ? "gatewayd does not run: the configuration file and the host are looked at"
                                : "gatewayd does not answer: " + daemon.error->what,
                        invocation.socket,
                        stopped ? "interception: nothing is taken over" : "this diagnosis is incomplete",
                        stopped ? "systemctl start gateway" : "sudo gatewayctl doctor"});
        return;
    }
    into.push_back(ok("daemon"));
    into.push_back(ok("network-namespace"));
    if (!daemon.other_network) return;
    into.back() = {"network-namespace",
                   Severity::warning,
                   "gatewayd lives in another network namespace than this command, which sees another host",
                   "/proc/" + text_at(daemon.status, "pid") + "/ns/net",
                   "this diagnosis: only gatewayd's own part is given",
                   "nsenter --net=/proc/" + text_at(daemon.status, "pid") + "/ns/net gatewayctl doctor"};
}

/// The daemon's word on what was not looked at here.
void merge_daemon(const Daemon& daemon, std::vector<Finding>& into)
{
    std::vector<Finding> more;
    for (const auto& json : daemon.findings) {
        auto finding = doctor::finding_of(json);
        if (!finding) continue;
        const auto same = [&](const Finding& one) { return one.id == finding->id; };
        if (std::none_of(into.begin(), into.end(), same)) more.push_back(std::move(*finding));
    }
    std::move(more.begin(), more.end(), std::back_inserter(into));
}

std::string file_of(const Invocation& invocation, const Daemon& daemon)
{
    if (!invocation.file.empty()) return invocation.file;
    const auto used = text_at(daemon.status, "config_file");
    return used.empty() ? default_file : used;
}

void look_at_host(const std::variant<Configuration, Rejected>& loaded, const Daemon& daemon, std::vector<Finding>& into)
{
    doctor::Subject subject;
    if (const auto* configuration = std::get_if<Configuration>(&loaded))
        subject = doctor::subject_of(configuration->settings);
    subject.daemon_runs = !daemon.status.is_null();
    auto found = doctor::diagnose(doctor::gather(subject, {}), subject);
    std::move(found.begin(), found.end(), std::back_inserter(into));
}

void look_at_configuration(const std::string& file, const std::variant<Configuration, Rejected>& loaded,
                           std::vector<Finding>& into)
{
    const auto* rejected = std::get_if<Rejected>(&loaded);
    if (rejected == nullptr) return into.push_back(ok("configuration"));
    into.push_back(
        {"configuration", Severity::error, "the configuration is wrong: " + first_line(problems_text(*rejected)), file,
         "the next start or reload; nothing is known of listeners and upstreams here", "gatewayctl check " + file});
}

void add_probe(const std::variant<Configuration, Rejected>& loaded, const Daemon& daemon, const Invocation& invocation,
               std::vector<Finding>& into)
{
    const auto* configuration = std::get_if<Configuration>(&loaded);
    if (configuration == nullptr || daemon.status.is_null() || daemon.other_network) {
        into.push_back({"probe", Severity::note,
                        "no connection was sent: that needs a gatewayd that answers, and its configuration",
                        "gatewayctl doctor --probe", "nothing: the rules were not tried", "systemctl start gateway"});
        return;
    }
    auto found = probe(configuration->settings, Client(invocation.socket));
    std::move(found.begin(), found.end(), std::back_inserter(into));
}

} // namespace

Exit examine(const Invocation& invocation, Output& output)
{
    const auto began = std::chrono::steady_clock::now();
    Examination examination;
    auto& findings = examination.findings;
    Daemon daemon;
    if (!invocation.offline) {
        daemon = ask_daemon(invocation);
        add_daemon(daemon, invocation, findings);
    }
    examination.daemon = !daemon.status.is_null();
    examination.file = file_of(invocation, daemon);
    const auto loaded = load(examination.file);
    look_at_configuration(examination.file, loaded, findings);
    if (!daemon.other_network) {
        look_at_host(loaded, daemon, findings);
        if (const auto* configuration = std::get_if<Configuration>(&loaded)) {
            auto tried = try_upstreams(upstreams_of(configuration->settings),
                                       configuration->settings.netfilter.own_mark, upstream_limit);
            std::move(tried.begin(), tried.end(), std::back_inserter(findings));
        }
    }
    if (invocation.probe) add_probe(loaded, daemon, invocation, findings);
    merge_daemon(daemon, findings);
    doctor::sort_findings(findings);
    examination.took_ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began).count());
    if (invocation.json)
        print(examination_json(examination), output);
    else
        output.data(examination_text(examination, invocation.all, output.look(false)));
    const auto worst = doctor::worst_of(findings);
    return worst == Severity::error ? Exit::wrong : worst == Severity::warning ? Exit::warned : Exit::ok;
}

} // namespace gw::ctl
