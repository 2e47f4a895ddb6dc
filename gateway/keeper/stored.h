#pragma once

#include "gateway/base/result.h"
#include "gateway/config/config.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace gw::keeper {

/// A configuration as it is kept in the state directory.
struct Stored {
    std::uint64_t number = 0; ///< grows with each that is kept; in the mark of a start: how often it was tried
    std::int64_t at = 0;      ///< when it came into force, seconds since 1970
    std::string how;          ///< "start", "reload", "apply", "rollback"
    config::Sources sources;  ///< whole, with what the main file included
};

bool same_sources(const config::Sources& one, const config::Sources& other);

/// A text that says its own length and has a sum at its end, so that a piece of it is never taken for the whole.
std::string encode_stored(const Stored& stored);
/// Pure. Errors: `malformed`, side gateway, for everything that `encode_stored` would not write.
Result<Stored> decode_stored(std::string_view text);

} // namespace gw::keeper
