#pragma once

#include "gateway/base/result.h"

#include <string>
#include <string_view>

namespace gw::http {

/// The one form of a path that routing decides on: percent-encoded unreserved characters decoded, other escapes in
/// upper case, dot segments resolved (RFC 3986 sections 6.2.2 and 5.2.4). `scratch` holds the answer when it differs
/// from `path`; usually nothing is copied.
/// "*" stays; anything else begins with '/'. Double slashes stay, and so does what is encoded twice. Idempotent.
/// Refused, as `malformed` of the client: a broken escape, %00, a byte no path holds (controls, space, '#', '?',
/// 8-bit), a path that climbs above the root, and what some upstream would resolve differently:
/// - dot segments that come out differently when %2F, %5C or '\' is read as '/';
/// - ".." behind an empty segment ("/a//../b"), since some merge slashes first;
/// - "." or ".." with a parameter ("/a/..;x/b"), since some cut parameters off first;
/// - ASCII in overlong UTF-8 ("%C0%AF"), since some decode it.
Result<std::string_view> normalise_path(std::string_view path, std::string& scratch);

/// True when some server reads another path than ours in `path`, which is in normal form: it has an encoded slash or
/// backslash, or a segment with a parameter (";x=1"). `other_readings` then makes those paths.
bool has_other_readings(std::string_view path);
/// The `reading`-th way (0, 1, 2) a server may read a path in normal form: with %2F, %5C and '\\' as '/'; without
/// parameters; with both. The answer is in normal form again.
std::string other_reading(std::string_view path, int reading);
inline constexpr int other_readings = 3;

/// The path as the inspection engine must be given it: an encoded '?' ("%3F") is encoded once more ("%253F"), since
/// libmodsecurity before 3.0.12 decodes it before it splits off the query (CVE-2024-1019).
std::string_view path_for_inspection(std::string_view path, std::string& scratch);

/// Lower case, no final dot. `scratch` holds the answer when it differs.
std::string_view normalise_host(std::string_view host, std::string& scratch);

} // namespace gw::http
