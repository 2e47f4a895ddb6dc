#include "gateway/ctl/online.h"

#include "gateway/ctl/interrupts.h"
#include "gateway/ctl/list_views.h"
#include "gateway/ctl/reply.h"
#include "gateway/ctl/status_view.h"

#include <ctime>

namespace gw::ctl {

namespace {

constexpr std::chrono::milliseconds watch_interval{1'000};
constexpr std::chrono::milliseconds watch_limit{3'000};
/// A reload compiles WAF rules and loads new inspectors before it answers.
constexpr std::chrono::milliseconds reload_limit{120'000};

Exit exit_of_status(const Json& status) { return text_at(status, "state") == "ok" ? Exit::ok : Exit::wrong; }

std::string picture_of(const Result<Json>& status, const Invocation& invocation, const Output& output)
{
    if (!status) return "gatewayctl: " + harmless(status.error().what) + '\n';
    if (invocation.json) return json_text(*status, false) + '\n';
    return status_view(*status, output.look(invocation.wide));
}

/// On a terminal one picture that changes, else one after the other. An outage is shown and waited out.
Exit watch_status(const Invocation& invocation, Output& output)
{
    const Interrupts interrupts;
    Client client(invocation.socket);
    client.interruptible(interrupts.wait_mask());
    std::optional<Screen> screen;
    if (output.on_terminal() && !invocation.json) screen.emplace(output);
    bool open = true;
    while (open && !interrupts.came()) {
        const auto status = ask_json(client, "/v1/status", watch_limit);
        if (interrupts.came()) break;
        const auto picture = picture_of(status, invocation, output);
        if (screen)
            open = screen->draw(picture);
        else if (status)
            open = output.data(invocation.json ? picture : picture + '\n');
        else
            output.message(status.error().what);
        if (open) interrupts.sleep(watch_interval);
    }
    return interrupts.came() ? Exit::interrupted : Exit::ok;
}

/// Asks, and prints JSON or what `view` makes of the answer.
template <class View> Exit show(const char* target, const Invocation& invocation, Output& output, View view)
{
    const auto answer = ask_json(Client(invocation.socket), target);
    if (!answer) return fail(answer.error(), output);
    if (invocation.json)
        print(*answer, output);
    else
        output.data(view(*answer, output.look(invocation.wide)));
    return Exit::ok;
}

Exit rejected(const Answer& answer, const Invocation& invocation, Output& output)
{
    const auto json = parse_json(answer.body);
    if (!json) return fail(refusal_of(answer), output);
    if (invocation.json) print(*json, output);
    std::string text = "not reloaded, the configuration before stays in force:";
    const auto& problems = list_at(*json, "problems");
    for (const auto& problem : problems) text += '\n' + text_at(problem, "text");
    if (problems.empty()) text += '\n' + text_at(*json, "error");
    output.message(text);
    return Exit::wrong;
}

} // namespace

Exit show_status(const Invocation& invocation, Output& output)
{
    if (invocation.live) return watch_status(invocation, output);
    const auto status = ask_json(Client(invocation.socket), "/v1/status");
    if (!status) return fail(status.error(), output);
    if (invocation.json)
        print(*status, output);
    else
        output.data(status_view(*status, output.look(invocation.wide)));
    return exit_of_status(*status);
}

Exit reload(const Invocation& invocation, Output& output)
{
    const auto answer = Client(invocation.socket).ask("POST", "/v1/reload", reload_limit);
    if (!answer) return fail(answer.error(), output);
    if (answer->status == 422 || answer->status == 409) return rejected(*answer, invocation, output);
    if (answer->status != 200) return fail(refusal_of(*answer), output);
    const auto json = parse_json(answer->body).value_or(Json::object());
    if (invocation.json)
        print(json, output);
    else
        output.data("reloaded: generation " + grouped(count_at(json, "generation")) + " is in force\n");
    return Exit::ok;
}

Exit upgrade(const Invocation& invocation, Output& output)
{
    const auto answer = Client(invocation.socket).ask("POST", "/v1/upgrade", reload_limit);
    if (!answer) return fail(answer.error(), output);
    if (answer->status != 200 && answer->status != 409 && answer->status != 422)
        return fail(refusal_of(*answer), output);
    const auto json = parse_json(answer->body).value_or(Json::object());
    if (invocation.json) print(json, output);
    if (answer->status != 200) {
        output.message("not upgraded: " + text_at(json, "error"));
        return Exit::wrong;
    }
    if (!invocation.json)
        output.data("upgraded: version " + text_at(json, "version") + " serves as process " +
                    std::to_string(count_at(json, "pid")) + ", version " + text_at(json, "from") +
                    " ends with its last connection\n");
    return Exit::ok;
}

Exit show_routes(const Invocation& invocation, Output& output)
{
    const auto now = static_cast<std::uint64_t>(std::time(nullptr));
    return show("/v1/routes", invocation, output, [now](const Json& answer, const Look& look) {
        return routes_view(list_at(answer, "routes"), now, look);
    });
}

Exit show_rules_in_force(const Invocation& invocation, Output& output)
{
    const auto rules = ask_json(Client(invocation.socket), "/v1/rules");
    if (!rules) return fail(rules.error(), output);
    if (invocation.json)
        print(*rules, output);
    else
        output.data(harmless(rules_text(*rules) + '\n' + text_at(*rules, "ip")));
    if (!flag_at(*rules, "installed")) {
        output.message("there are no rules: no listener intercepts");
        return Exit::ok;
    }
    const auto missing = text_at(*rules, "missing");
    if (missing.empty()) return Exit::ok;
    output.message("missing in the kernel: " + missing + "\n`gatewayctl reload` installs it again");
    return Exit::wrong;
}

Exit show_metrics(const Invocation& invocation, Output& output)
{
    const auto answer = Client(invocation.socket).ask("GET", "/v1/metrics");
    if (!answer) return fail(answer.error(), output);
    if (answer->status != 200) return fail(refusal_of(*answer), output);
    output.data(harmless(answer->body));
    return Exit::ok;
}

Exit show_version(const Invocation& invocation, std::string_view own_version, Output& output)
{
    const auto daemon = ask_json(Client(invocation.socket), "/v1/version", std::chrono::seconds(2));
    if (invocation.json) {
        Json answer{{"gatewayctl", own_version}, {"gatewayd", Json()}};
        if (daemon) answer["gatewayd"] = *daemon;
        print(answer, output);
        return Exit::ok;
    }
    output.data("gatewayctl " + std::string(own_version) + '\n');
    if (daemon)
        output.data("gatewayd " + plain(text_at(*daemon, "version")) + ", pid " + plain(text_at(*daemon, "pid")) +
                    '\n');
    else
        output.message(daemon.error().what);
    return Exit::ok;
}

} // namespace gw::ctl
