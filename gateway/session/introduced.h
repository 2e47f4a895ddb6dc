#pragma once

#include "gateway/base/endpoint.h"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace gw::session {

/// What became of the PROXY header that had to come first.
enum class HeaderFate { client, local, untrusted, absent, malformed, late, cut };
inline constexpr std::array<std::string_view, 7> header_fates{"client",    "local", "untrusted", "absent",
                                                              "malformed", "late",  "cut"};
inline std::string_view name_of(HeaderFate fate) { return header_fates[static_cast<std::size_t>(fate)]; }

/// A connection that came with a PROXY header, or should have.
struct Introduced {
    Endpoint sender; ///< who dialled us
    HeaderFate fate = HeaderFate::cut;
    int version = 0;       ///< of the header; 0: there was none
    bool over_tls = false; ///< the client's connection was, up to the sender
    bool checksum = false; ///< the header had a checksum
    std::string tlvs;      ///< as they came (intake/proxy_header.h)
};

} // namespace gw::session
