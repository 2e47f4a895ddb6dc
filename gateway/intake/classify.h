#pragma once

#include "gateway/base/flow.h"
#include "gateway/base/result.h"
#include "gateway/intake/need_more.h"

#include <string_view>
#include <variant>

namespace gw::intake {

/// What `received` (everything read so far, from the first byte) is the start of. Pure.
/// TLS: reassembles a ClientHello over any number of records; done when it is whole. One that breaks the format is
/// `other`, and nothing in it is believed. Text that a lenient server could take for HTTP/1 counts as HTTP/1, even when
/// malformed or with a first line beyond the limit: the HTTP proxy then refuses it, and nothing passes uninspected.
/// Asks for more only while the answer could still change; once there is one, more bytes never change it, and it never
/// depends on how the bytes were cut. Never asks for more once `limit_bytes` were received.
/// Errors: `too_large`, side client, when a ClientHello, record headers included, exceeds `limit_bytes`.
/// Source: RFC 8446 5.1 (records), RFC 9112 2.2 and 3 (what lenient servers accept), RFC 9113 3.4 (preface).
Result<std::variant<NeedMore, Hello>> classify(std::string_view received, std::size_t limit_bytes);

} // namespace gw::intake
