#include "gateway/ctl/reply.h"

namespace gw::ctl {

Error refusal_of(const Answer& answer)
{
    const auto json = parse_json(answer.body);
    auto said = json ? text_at(*json, "error") : std::string();
    if (said.empty()) said = "no reason given";
    if (answer.status == 401 || answer.status == 403)
        return {Fault::denied,
                Side::gateway,
                "gatewayd does not allow it: " + said + "; run as root or join group gateway",
                {}};
    if (answer.status == 404) said += " (gatewayctl and gatewayd may be of different versions; see gatewayctl version)";
    return {Fault::system, Side::gateway, "gatewayd answers " + std::to_string(answer.status) + ": " + said, {}};
}

Result<Json> ask_json(const Client& client, std::string_view target, std::chrono::milliseconds limit)
{
    const auto answer = client.ask("GET", target, limit);
    if (!answer) return answer.error();
    if (answer->status != 200) return refusal_of(*answer);
    auto json = parse_json(answer->body);
    if (!json || !json->is_object())
        return Error{Fault::malformed, Side::gateway, "gatewayd's answer is not the JSON it should be", {}};
    return {boost::system::in_place_value, std::move(*json)}; // else Json, which converts to anything, would
}

Exit fail(const Error& error, const Output& output)
{
    output.message(error.what);
    return exit_for(error);
}

} // namespace gw::ctl
