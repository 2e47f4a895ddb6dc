#pragma once

#include "gateway/base/flow.h"
#include "gateway/base/result.h"

#include <string_view>
#include <variant>

namespace gw::intake {

struct NeedMore {};

/// What `received` (everything read so far, from the first byte) is the start of. Pure.
/// TLS: reassembles a ClientHello over any number of records; done when it is whole. Text that a lenient server could
/// take for HTTP/1 counts as HTTP/1, even when malformed: the HTTP proxy then refuses it, and nothing passes uninspected.
/// Asks for more only while the answer could still change.
/// Errors: `too_large`, side client, when a ClientHello or a first line exceeds `limit_bytes`.
Result<std::variant<NeedMore, Hello>> classify(std::string_view received, std::size_t limit_bytes);

} // namespace gw::intake
