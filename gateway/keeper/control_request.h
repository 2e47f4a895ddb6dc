#pragma once

#include "gateway/http/message.h"

#include <string>
#include <string_view>
#include <variant>

namespace gw::keeper {

/// A question of the control socket, copied out of the buffer it was read into.
struct ControlRequest {
    std::string method;
    std::string target;         ///< path and query as written
    http::Framing framing{};    ///< of the body that follows
    bool waits = false;         ///< for 100 before it sends that
    std::size_t head_bytes = 0; ///< the body starts here
};
using ControlAnswer = std::variant<http::NeedMore, ControlRequest, http::Refusal>;

/// Looks for a question at the start of `received`: everything read so far, from the first byte. What follows its head
/// is not looked at. Pure; the verdict is the same however the bytes are cut. `progress`: as for `parse_request_head`.
/// A refusal carries the status to answer with; a target that is no path ("*", "host:1") is refused with 400.
ControlAnswer parse_control_request(std::string_view received, http::HeadProgress& progress);

/// Most bytes that are read before a request is answered or refused.
inline constexpr std::size_t max_control_request_bytes = 64 * 1024;

} // namespace gw::keeper
