#include "gateway/keeper/control_request.h"

namespace gw::keeper {

ControlAnswer parse_control_request(std::string_view received, http::HeadProgress& progress)
{
    http::RequestHead head;
    const auto parsed = http::parse_request_head(received, http::Limits{}, head, &progress);
    if (const auto* refusal = std::get_if<http::Refusal>(&parsed)) return *refusal;
    if (std::holds_alternative<http::NeedMore>(parsed)) return http::NeedMore{};
    if (!head.path.starts_with('/'))
        return http::Refusal{400, {Fault::malformed, Side::client, "the target is no path", {}}};
    return ControlRequest{std::string{head.method}, std::string{head.path} + std::string{head.query}, head.framing,
                          head.expects_continue, std::get<http::Complete>(parsed).size_bytes};
}

} // namespace gw::keeper
