#pragma once

#include "gateway/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace gw::ctl {

/// What somebody asks `explain` about.
struct Url {
    enum class Scheme { http, https, tcp };
    Scheme scheme = Scheme::http;
    std::string host;       ///< lower case, no brackets, no final dot
    std::uint16_t port = 0; ///< the scheme's own when none was written
    std::string path;       ///< in normal form (http/path.h); "/" when none was written
    std::string query;      ///< with its '?', or empty

    std::string text() const;
};
std::string_view name_of(Url::Scheme scheme);

/// "https://shop.example/cart?x=1", "shop.example/cart" (http), "ws://" and "wss://" (as http and https), and
/// "tcp://192.0.2.7:25" for what is neither HTTP nor TLS; a fragment is dropped. Pure.
/// Errors, side client: `malformed` when it is no URL; `denied` when the gateway refuses its path.
Result<Url> parse_url(std::string_view text);

} // namespace gw::ctl
