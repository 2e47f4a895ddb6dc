#pragma once

#include <cstdint>
#include <string_view>

namespace gw::intake {

/// CRC32c (Castagnoli) of `bytes`; `before`: that of what comes before them, so a message may be given in pieces.
/// Source: RFC 3720 12.1 and B.4, RFC 4960 appendix B.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

} // namespace gw::intake
