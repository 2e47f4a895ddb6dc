// What the control socket says of changes. docs/control-api.md.
#include "gateway/keeper/changes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <unistd.h>

namespace gw::keeper {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds longest_trial = 1h;

/// The value of a name in "?one=1&two=2"; none: it is not there.
std::optional<std::string_view> value_in(std::string_view query, std::string_view name)
{
    if (query.starts_with('?')) query.remove_prefix(1);
    while (!query.empty()) {
        const auto part = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(part.size() + 1, query.size()));
        if (part.starts_with(name) && part.substr(name.size()).starts_with('=')) return part.substr(name.size() + 1);
    }
    return std::nullopt;
}

/// None: not a whole number from `least` to `most`.
std::optional<std::size_t> count_in(std::string_view query, std::string_view name, std::size_t absent,
                                    std::size_t least, std::size_t most)
{
    const auto text = value_in(query, name);
    if (!text) return absent;
    std::size_t count = 0;
    const auto [end, wrong] = std::from_chars(text->data(), text->data() + text->size(), count);
    if (wrong != std::errc{} || end != text->data() + text->size() || count < least || count > most)
        return std::nullopt;
    return count;
}

Json sources_json(const config::Sources& sources)
{
    auto list = Json::array();
    for (const auto& source : sources) list.push_back({{"name", source.name}, {"text", source.text}});
    return list;
}

} // namespace

bool Changes::answers(std::string_view path)
{
    constexpr std::array<std::string_view, 6> ours{"/v1/reload",   "/v1/apply",  "/v1/confirm",
                                                   "/v1/rollback", "/v1/config", "/v1/history"};
    return std::find(ours.begin(), ours.end(), path) != ours.end();
}

link::Answer Changes::answer_of(const Outcome& outcome) const
{
    if (!outcome.ok())
        return json_answer(
            outcome.status,
            {{"ok", false}, {"error", outcome.rejection.text}, {"problems", outcome.rejection.problems}});
    Json json{{"ok", true},
              {"generation", in_force_.generation},
              {"pid", ::getpid()},
              {"saved", !pending_ && outcome.not_saved.empty()},
              {"file", options_.config_file}};
    if (!outcome.not_saved.empty()) json["error"] = outcome.not_saved;
    json["pending_confirm"] = status()["pending_confirm"];
    return json_answer(200, json);
}

link::Answer Changes::respond_config() const
{
    if (in_force_.loaded == nullptr) return json_answer(503, {{"error", "the gateway is still starting"}});
    return json_answer(200, {{"generation", in_force_.generation},
                             {"file", options_.config_file},
                             {"on_trial", pending_.has_value()},
                             {"sources", sources_json(in_force_.loaded->sources)}});
}

Task<link::Answer> Changes::respond_history()
{
    auto list = Json::array();
    if (pending_) list.push_back({{"back", 0}, {"at", pending_->stored.at}, {"how", "on trial"}, {"good", false}});
    std::vector<Stored> entries;
    std::uint64_t good = 0;
    if (const auto* history = archive_.history()) {
        auto reading = [history] {
            const auto known = history->good();
            return std::pair{history->entries(), known ? known->number : 0};
        };
        auto read = co_await archive_.aside(std::move(reading));
        entries = std::move(read.first);
        good = read.second;
    }
    std::size_t back = 0;
    for (const auto& entry : entries) {
        if (entry.sources[0].name != options_.config_file) continue;
        if (pending_ ? entry.number > pending_->before_number : number_ != 0 && entry.number > number_) continue;
        back = pending_ || entry.number != number_ ? back + 1 : 0;
        list.push_back({{"back", back},
                        {"number", entry.number},
                        {"at", entry.at},
                        {"how", entry.how},
                        {"good", entry.number == good},
                        {"sources", entry.sources.size()}});
    }
    co_return json_answer(200, {{"history", list}});
}

Task<link::Answer> Changes::respond_change(std::string path, std::string query, std::string body)
{
    Outcome outcome;
    if (path == "/v1/reload") {
        outcome = co_await reload();
    } else if (path == "/v1/confirm") {
        outcome = co_await confirm();
    } else if (path == "/v1/rollback") {
        const auto back = count_in(query, "back", 1, 1, 1'000);
        if (!back) co_return json_answer(400, {{"error", "back: how many changes to go back, from 1"}});
        outcome = co_await rollback(*back);
    } else {
        const auto trial = count_in(query, "confirm_seconds", 0, 1, static_cast<std::size_t>(longest_trial.count()));
        if (!trial) co_return json_answer(400, {{"error", "confirm_seconds: from 1 to 3600"}});
        std::optional<std::string> text;
        if (!body.empty()) text = std::move(body);
        outcome = co_await apply(std::move(text), std::chrono::seconds{*trial});
    }
    co_return answer_of(outcome);
}

Task<link::Answer> Changes::respond(std::string method, std::string path, std::string query, std::string body)
{
    const bool read_only = path == "/v1/config" || path == "/v1/history";
    if (method != (read_only ? "GET" : "POST"))
        co_return json_answer(405, {{"error", path + (read_only ? " is a GET" : " is a POST")}});
    if (path == "/v1/config") co_return respond_config();
    if (path == "/v1/history") co_return co_await respond_history();
    co_return co_await respond_change(std::move(path), std::move(query), std::move(body));
}

Json Changes::status() const
{
    Json status{{"pending_confirm", nullptr}, {"last_trial", last_trial_}, {"in_force_since", in_force_since_}};
    auto problems = Json::array();
    if (pending_) {
        const auto left =
            std::chrono::ceil<std::chrono::seconds>(pending_->deadline - std::chrono::steady_clock::now());
        const auto seconds = std::max<std::int64_t>(left.count(), 0);
        status["pending_confirm"] = {{"generation", pending_->generation},
                                     {"deadline", std::int64_t{std::time(nullptr)} + seconds},
                                     {"seconds_left", seconds}};
    }
    const bool fallback = !boot_.reason().empty() && in_force_.loaded != nullptr &&
                          same_sources(in_force_.loaded->sources, boot_.fallback().sources);
    status["last_known_good"] = nullptr;
    if (fallback) {
        status["last_known_good"] = {{"at", boot_.fallback().at}, {"reason", boot_.reason()}};
        problems.push_back("running on the last-known-good configuration of " + time_text(boot_.fallback().at) + ": " +
                           boot_.reason());
    }
    status["dropped_trial"] = nullptr;
    if (boot_.dropped_at() != 0) status["dropped_trial"] = {{"at", boot_.dropped_at()}};
    if (unconfirmed_in_file_)
        problems.push_back("what is in " + options_.config_file +
                           " was on trial and was not confirmed; in force is the one before (see gatewayctl diff)");
    if (!not_saved_.empty()) problems.push_back("what is in force is not saved: " + not_saved_);
    if (!archive_.why_not().empty()) problems.push_back(archive_.why_not());
    status["known_good"] = good_;
    status["problems"] = std::move(problems);
    return status;
}

} // namespace gw::keeper
