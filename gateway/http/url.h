#pragma once

#include "gateway/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace gw::http {

/// "10.0.0.1", "[::1]:80", "name.example:8080" apart. `host` without brackets.
struct Authority {
    std::string_view host;
    std::uint16_t port = 0;      ///< 0: none given
};
/// Errors: `malformed`: empty host, userinfo, a port that is not 1..65535, bytes RFC 3986 section 3.2 does not allow.
Result<Authority> parse_authority(std::string_view text);

} // namespace gw::http
