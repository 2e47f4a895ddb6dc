#include "gateway/keeper/answers.h"

#include "gateway/keeper/doctor.h"

#include <unistd.h>

namespace gw::keeper {

link::Answer json_answer(int status, const Json& json)
{
    return {status, "application/json", json.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

namespace {

bool is_of_iptables(const Rules& rules) { return rules.backend().starts_with("iptables"); }

/// Where the rules are, in the words of their kind.
std::string place_of(const Rules& rules, const std::string& table)
{
    return is_of_iptables(rules) ? "chains " + table + "-*" : "inet " + table;
}

} // namespace

link::Answer Answers::version() const { return json_answer(200, {{"version", options_.version}, {"pid", ::getpid()}}); }

link::Answer Answers::rules() const
{
    const bool installed = rules_.installed();
    const bool nft = !is_of_iptables(rules_);
    const auto text = installed ? rules_.text() : "";
    return json_answer(200, {{"installed", installed},
                             {"backend", nft ? "nft" : rules_.backend()},
                             {"table", place_of(rules_, rules_.plan().settings.table)},
                             {"missing", rules_.missing()},
                             {"nft", nft ? text : ""},
                             {"iptables", nft ? "" : text},
                             {"ip", installed ? netfilter::ip_text(rules_.plan()) : ""}});
}

Json Answers::problems(const Json& of_data, const Result<link::Answer>& data, const std::string& missing,
                       const Json& more) const
{
    auto problems = more.value("problems", Json::array());
    for (const auto& problem : of_data.value("problems", Json::array())) problems.push_back(problem);
    if (!data) problems.push_back("data process: " + data.error().what);
    if (!data_.problem().empty()) problems.push_back(data_.problem());
    if (!missing.empty()) problems.push_back("rules: " + missing);
    if (last_reload_.refused()) problems.push_back("the last reload was refused");
    return problems;
}

link::Answer Answers::status(const Result<link::Answer>& data, HostDoctor& doctor, const Json& more) const
{
    auto inner = data && data->status == 200 ? Json::parse(data->body, nullptr, false) : Json::object();
    if (inner.is_discarded()) inner = Json::object();
    const auto missing = rules_.missing();
    const auto all_problems = problems(inner, data, missing, more);
    const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began_);
    Json status{{"version", options_.version},
                {"pid", ::getpid()},
                {"data_pid", data_.process_id()},
                {"data_restarts", data_.restarts()},
                {"standby_ready", data_.standby_ready()},
                {"config_file", options_.config_file},
                {"generation", in_force_.generation},
                {"started", began_at_},
                {"uptime_seconds", uptime.count()},
                {"state", all_problems.empty() ? "ok" : "degraded"},
                {"rules",
                 {{"installed", rules_.installed()},
                  {"backend", is_of_iptables(rules_) ? rules_.backend() : "nft"},
                  {"table", place_of(rules_, in_force_.loaded->settings.netfilter.table)},
                  {"missing", missing},
                  {"healed", rules_.healed()},
                  {"last_healed", rules_.last_healed()}}},
                {"last_reload", last_reload_.json}};
    for (auto& [name, value] : more.items()) status[name] = value;
    for (auto& [name, value] : inner.items())
        if (!status.contains(name)) status[name] = value;
    status["problems"] = all_problems;
    doctor.add_to_status(status);
    return json_answer(200, status);
}

} // namespace gw::keeper
