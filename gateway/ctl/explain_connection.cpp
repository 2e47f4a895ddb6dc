#include "gateway/base/endpoint.h"
#include "gateway/ctl/connection_view.h"
#include "gateway/ctl/online.h"
#include "gateway/ctl/reply.h"

#include <algorithm>

namespace gw::ctl {

namespace {

bool is_id(std::string_view text)
{
    // "abcde0.12": five letters or digits of the run, the worker, a point, the number; "-3" behind it: a request.
    const auto point = text.find('.');
    if (point == std::string_view::npos || point < 6 || point > 16) return false;
    const auto is_lower = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    const auto is_digit_or_dash = [](char c) { return (c >= '0' && c <= '9') || c == '-'; };
    const auto run = text.substr(0, point);
    const auto number = text.substr(point + 1);
    return !number.empty() && std::all_of(run.begin(), run.end(), is_lower) &&
           std::all_of(number.begin(), number.end(), is_digit_or_dash);
}

} // namespace

bool names_connection(std::string_view text) { return Endpoint::parse(text).has_value() || is_id(text); }

Exit explain_connection(const Invocation& invocation, Output& output)
{
    const Client client(invocation.socket);
    auto target = std::string("/v1/connections/");
    for (const char c : invocation.url) target += c == '[' ? "%5B" : c == ']' ? "%5D" : std::string(1, c);
    const auto answer = client.ask("GET", target);
    if (!answer) return fail(answer.error(), output);
    auto connection = parse_json(answer->body);
    if (answer->status == 404 && connection) {
        output.message(text_at(*connection, "error") + "\nTo explain a URL, begin it with http://, https:// or tcp://");
        return Exit::wrong;
    }
    if (answer->status != 200 || !connection) return fail(refusal_of(*answer), output);
    auto& capture = (*connection)["capture"];
    if (text_at(capture, "kind") == "intercept") {
        const auto rules = ask_json(client, "/v1/rules");
        // What holds the rules is the keeper's to know.
        if (rules && capture.contains("kernel") && text_at(*rules, "backend").starts_with("iptables"))
            capture["kernel"]["table"] = text_at(*rules, "table") + " (" + text_at(*rules, "backend") + ')';
        if (rules && capture.is_object())
            capture["rules"] = rules_of_listener(*rules, text_at(capture, "listener"), text_at(capture, "destination"));
    }
    output.data(invocation.json ? json_text(*connection, output.on_terminal()) + '\n'
                                : connection_view(*connection, output.look(false)));
    return Exit::ok;
}

} // namespace gw::ctl
