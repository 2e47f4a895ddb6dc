#pragma once

#include "gateway/base/flow.h"

#include <optional>
#include <string_view>

namespace gw::intake {

/// More names than that in an ALPN list are checked, but not kept: 16 KiB of one-byte names would cost 500 KiB.
inline constexpr std::size_t max_alpn_kept = 32;

/// What a whole ClientHello says; `body` is the handshake message without its four bytes of type and length. Pure.
/// Strict about whatever decides where a field begins and about the three extensions that are used (each at most once);
/// indifferent to values a server ignores, since what a server accepts and we do not would pass unrecognised.
/// Nothing when it breaks the format, or when its server name is not a host name: then no part of it is believed.
/// Source: RFC 8446 4.1.2 and 4.2, RFC 6066 3 (server_name), RFC 7301 3.1 (ALPN), RFC 9849 5 (ECH).
std::optional<Hello> parse_client_hello(std::string_view body);

} // namespace gw::intake
