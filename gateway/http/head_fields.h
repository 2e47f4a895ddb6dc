#pragma once

#include "gateway/http/message.h"

#include <cstddef>
#include <string_view>
#include <vector>

/// What the heads of requests and responses have in common. For this room only.
namespace gw::http::head {

/// The answer of every step below. The verdict depends only on the bytes from the start up to where it was found, so it
/// is the same however they were cut.
struct Step {
    enum class Kind { need_more, done, malformed, too_many };
    Kind kind = Kind::need_more;
    std::size_t end = 0;  ///< of what was done: the byte after it
    const char* why = ""; ///< of `malformed`
};

/// Field lines from `progress.checked_bytes` of `window` to the empty line. `fields` gets each of them. On `need_more`
/// the progress says where the first incomplete line begins.
Step parse_fields(std::string_view window, std::size_t limit, HeadProgress& progress, std::vector<Field>& fields);

/// One field line without its end: name ":" OWS value OWS.
/// `why` is null when it is well formed.
struct Line {
    Field field;
    const char* why = nullptr;
};
Line parse_line(std::string_view line);

/// The fields that decide on framing and on the connection, found in one pass.
struct Known {
    const Field* host = nullptr;
    const Field* content_length = nullptr;
    const Field* transfer_encoding = nullptr;
    const Field* upgrade = nullptr;
    const Field* expect = nullptr;
    bool connection = false;
    const char* repeated = nullptr; ///< why the head is refused: a field of these came twice
};
Known find_known(const std::vector<Field>& fields);

/// Digits only, no superfluous zero, below 2^63. False: not a length.
bool parse_length(const Field& field, std::uint64_t& length);

/// What a Transfer-Encoding says that must be understood exactly.
enum class Coding { chunked, other, malformed };
Coding parse_coding(const Field& field);

/// The options of every Connection field into `options`. Null, or why the head is refused.
const char* parse_connection(const std::vector<Field>& fields, std::vector<std::string_view>& options);
bool has_option(const std::vector<std::string_view>& options, std::string_view name);

/// The value of Upgrade when it may be followed: one field, protocols by their grammar, none of which is another
/// HTTP or TLS (those would go on where nobody inspects them).
std::string_view usable_upgrade(const Field* upgrade);

/// "HTTP/1.1" at the start of `text`. Done: 8 bytes that are a version, of which the digits are given.
Step parse_version(std::string_view text, int& major, int& minor);

} // namespace gw::http::head
