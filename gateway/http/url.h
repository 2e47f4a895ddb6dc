#pragma once

#include "gateway/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace gw::http {

/// "10.0.0.1", "[::1]:80", "name.example:8080" apart. `host` without brackets.
struct Authority {
    std::string_view host;
    std::uint16_t port = 0; ///< 0: none given
};
/// Errors: `malformed`, side client: empty host, userinfo, a port that is empty, not 1..65535 or has leading zeros,
/// bytes RFC 3986 section 3.2 does not allow, and what it allows but two readers may take differently: '%' and ',' in a
/// name, an empty label ("a..b", ".a"), a zone or a future version in brackets, more than 255 bytes.
Result<Authority> parse_authority(std::string_view text);

} // namespace gw::http
