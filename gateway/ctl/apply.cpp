#include "gateway/ctl/changing.h"
#include "gateway/ctl/interrupts.h"
#include "gateway/ctl/reply.h"
#include "gateway/ctl/text_table.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>

namespace gw::ctl {

namespace {

using namespace std::chrono_literals;

/// A change compiles WAF rules and loads new inspectors before it is answered.
constexpr std::chrono::milliseconds change_limit = 120s;
constexpr std::chrono::milliseconds look_limit = 3s;
constexpr std::chrono::milliseconds look_interval = 500ms;
/// Beyond the deadline of a trial, for the daemon to go back or to come back.
constexpr std::chrono::seconds grace = 15s;

std::string clock_text(std::int64_t at)
{
    const std::time_t time = at;
    std::tm parts{};
    ::localtime_r(&time, &parts);
    char text[64];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts)};
}

/// Why nothing was changed: the problems with their lines, else the reason.
Exit refused(const Answer& answer, const char* what, const Invocation& invocation, Output& output)
{
    const auto json = parse_json(answer.body);
    if (!json || !has(*json, "ok")) return fail(refusal_of(answer), output);
    if (invocation.json) print(*json, output);
    std::string text = what;
    const auto& problems = list_at(*json, "problems");
    for (const auto& problem : problems) text += '\n' + text_at(problem, "text");
    if (problems.empty()) text += ' ' + text_at(*json, "error");
    output.message(text);
    return answer.status == 500 ? Exit::failed : Exit::wrong;
}

std::string in_force(const Json& json)
{
    return "generation " + grouped(count_at(json, "generation")) + " is in force";
}

/// In force, but the disk would not have it: nothing to be quiet about.
Exit said_saved(const Json& json, const std::string& text, const Invocation& invocation, Output& output)
{
    if (invocation.json)
        print(json, output);
    else
        output.data(text + '\n');
    if (flag_at(json, "saved")) return Exit::ok;
    output.message("NOT SAVED, a later start will not have it: " + text_at(json, "error"));
    return Exit::failed;
}

// --- on trial

/// How a trial ended; none: it goes on.
std::optional<std::string> ending(const Json& status, std::uint64_t generation, std::uint64_t process)
{
    if (count_at(status, "pid") != process) return "went back: gatewayd was started again";
    if (has(status, "pending_confirm") && count_at(object_at(status, "pending_confirm"), "generation") == generation)
        return std::nullopt;
    const auto& last = object_at(status, "last_trial");
    return count_at(last, "generation") == generation ? text_at(last, "ended") : "ended";
}

/// Shows the time that is left, until the trial has ended one way or the other.
class Countdown {
public:
    Countdown(const Invocation& invocation, Output& output) : output_(output), client_(invocation.socket)
    {
        client_.interruptible(interrupts_.wait_mask());
    }
    ~Countdown() { clear(); }

    Exit run(std::uint64_t generation, std::uint64_t process, std::chrono::seconds trial)
    {
        const auto until = std::chrono::steady_clock::now() + trial + grace;
        while (!interrupts_.came() && std::chrono::steady_clock::now() < until) {
            const auto status = ask_json(client_, "/v1/status", look_limit);
            if (interrupts_.came()) break;
            const auto ended = status ? ending(*status, generation, process) : std::nullopt;
            if (ended) return say(*ended);
            show(status ? "going back in " +
                              std::to_string(count_at(object_at(*status, "pending_confirm"), "seconds_left")) +
                              " s unless `gatewayctl confirm` comes"
                        : "gatewayd does not answer; should it start again, it is with the configuration before");
            interrupts_.sleep(look_interval);
        }
        clear();
        if (!interrupts_.came()) {
            output_.message("gatewayd does not say how the trial ended; see gatewayctl status");
            return Exit::failed;
        }
        output_.message("the trial goes on without this command: `gatewayctl confirm` keeps the configuration, "
                        "`gatewayctl rollback` ends it at once");
        return Exit::interrupted;
    }

private:
    void show(const std::string& line)
    {
        if (!output_.on_terminal() || line == shown_) return;
        shown_ = line;
        output_.data("\r\x1b[K" + line);
    }
    void clear()
    {
        if (!shown_.empty()) output_.data("\r\x1b[K");
        shown_.clear();
    }
    Exit say(const std::string& ended)
    {
        clear();
        if (ended == "confirmed") {
            output_.data("confirmed\n");
            return Exit::ok;
        }
        output_.message(ended == "went back" ? "not confirmed: the configuration before is in force again" : ended);
        return Exit::wrong;
    }

    Output& output_;
    const Interrupts interrupts_;
    Client client_;
    std::string shown_;
};

Exit wait_for_confirm(const Json& json, const Invocation& invocation, Output& output)
{
    const auto trial = std::chrono::seconds(count_at(object_at(json, "pending_confirm"), "seconds_left"));
    if (invocation.json)
        print(json, output);
    else
        output.data("applied on trial: " + in_force(json) + " for " + limit_text(trial) +
                    "; keep it with `gatewayctl confirm`\n");
    if (invocation.no_wait) return Exit::ok;
    const auto process = count_at(json, "pid");
    Countdown countdown(invocation, output);
    return countdown.run(count_at(json, "generation"), process, trial);
}

/// None: said why not.
std::optional<std::string> candidate_in(const std::string& file, const Output& output)
{
    std::ifstream opened(file, std::ios::binary);
    std::ostringstream text;
    if (!opened || !(text << opened.rdbuf()) || text.str().empty()) {
        output.message(file + ": " + (errno != 0 ? std::strerror(errno) : "is empty"));
        return std::nullopt;
    }
    return text.str();
}

} // namespace

std::optional<std::chrono::seconds> parse_trial(std::string_view text)
{
    int count = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (wrong != std::errc{} || count < 1 || count > 3600) return std::nullopt;
    const auto unit = text.substr(static_cast<std::size_t>(end - text.data()));
    const int factor = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
    if (factor == 0 || count * factor > 3600) return std::nullopt;
    return std::chrono::seconds(count * factor);
}

Exit apply(const Invocation& invocation, Output& output)
{
    std::string body;
    if (!invocation.file.empty()) {
        errno = 0;
        auto text = candidate_in(invocation.file, output);
        if (!text) return Exit::usage;
        body = std::move(*text);
    }
    Query query("/v1/apply");
    if (invocation.trial_seconds != 0) query.add("confirm_seconds", std::to_string(invocation.trial_seconds));
    const auto answer = Client(invocation.socket).ask("POST", query.text(), change_limit, body);
    if (!answer) return fail(answer.error(), output);
    if (answer->status != 200)
        return refused(*answer, "not applied, the configuration before stays in force:", invocation, output);
    const auto json = parse_json(answer->body).value_or(Json::object());
    if (has(json, "pending_confirm")) return wait_for_confirm(json, invocation, output);
    return said_saved(json, "applied: " + in_force(json) + ", and in " + plain(text_at(json, "file")), invocation,
                      output);
}

Exit confirm(const Invocation& invocation, Output& output)
{
    const auto answer = Client(invocation.socket).ask("POST", "/v1/confirm", change_limit);
    if (!answer) return fail(answer.error(), output);
    if (answer->status != 200) return refused(*answer, "not confirmed:", invocation, output);
    const auto json = parse_json(answer->body).value_or(Json::object());
    return said_saved(json, "confirmed: " + in_force(json) + ", and in " + plain(text_at(json, "file")), invocation,
                      output);
}

namespace {

Exit list_history(const Invocation& invocation, Output& output)
{
    const auto answer = ask_json(Client(invocation.socket), "/v1/history");
    if (!answer) return fail(answer.error(), output);
    if (invocation.json) {
        print(*answer, output);
        return Exit::ok;
    }
    TextTable table({{"BACK", true}, {"IN FORCE SINCE"}, {"BY"}, {""}});
    for (const auto& entry : list_at(*answer, "history"))
        table.add({{text_at(entry, "back")},
                   {clock_text(static_cast<std::int64_t>(count_at(entry, "at")))},
                   {plain(text_at(entry, "how"))},
                   {count_at(entry, "back") == 0 ? "in force"
                    : flag_at(entry, "good")     ? "last known good"
                                                 : ""}});
    output.data(table.empty() ? "nothing is kept\n" : table.text(output.look(invocation.wide)));
    return Exit::ok;
}

} // namespace

Exit rollback(const Invocation& invocation, Output& output)
{
    if (invocation.list) return list_history(invocation, output);
    Query query("/v1/rollback");
    query.add("back", std::to_string(invocation.back));
    const auto answer = Client(invocation.socket).ask("POST", query.text(), change_limit);
    if (!answer) return fail(answer.error(), output);
    if (answer->status != 200) return refused(*answer, "not rolled back:", invocation, output);
    const auto json = parse_json(answer->body).value_or(Json::object());
    return said_saved(json, "rolled back: " + in_force(json) + ", and in " + plain(text_at(json, "file")), invocation,
                      output);
}

} // namespace gw::ctl
