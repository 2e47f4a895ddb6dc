#pragma once

#include "gateway/http/message.h"

#include <ctime>
#include <span>
#include <string>
#include <string_view>

/// Writing heads. What goes out is always made anew, field by field, into a string the caller keeps, so that its memory
/// is kept too; no line is ever copied as it came. Nothing written here can end a line early: a control character (HTAB
/// apart) in any text becomes a space.
namespace gw::http {

/// `text` without what could end a line.
void append_text(std::string& out, std::string_view text);

/// "GET /path?query HTTP/1.1\r\n". A path that is empty becomes "/". Space in method or target becomes '_', which no
/// parsed message has: a bug, not a second line.
void append_request_line(std::string& out, std::string_view method, std::string_view path, std::string_view query = {},
                         int minor_version = 1);
/// "HTTP/1.1 404 Not Found\r\n"; `reason` empty: the usual one.
void append_status_line(std::string& out, int status, std::string_view reason = {}, int minor_version = 1);
/// "Name: value\r\n". The name must be a token: it was parsed, or it is ours.
void append_field(std::string& out, std::string_view name, std::string_view value);
void append_field(std::string& out, std::string_view name, std::uint64_t value);
/// Content-Length or Transfer-Encoding, or nothing.
void append_framing(std::string& out, const Framing& framing);
/// The empty line.
inline void append_end(std::string& out) { out += "\r\n"; }

/// RFC 9110 section 15 and the registry; "Unknown" for others.
std::string_view reason_phrase(int status);

inline constexpr std::size_t date_bytes = 29;
/// "Sun, 06 Nov 1994 08:49:37 GMT" (IMF-fixdate, RFC 9110 section 5.6.7). Years 1 to 9999.
std::string_view encode_date(std::time_t at, std::span<char, date_bytes> into);
/// Now. Made once a second and thread; the view is valid until the next call on the same thread.
std::string_view current_date();

/// An answer of the gateway itself.
struct OwnResponse {
    int status = 500;
    std::string_view content_type = "text/plain; charset=utf-8"; ///< left out when there is no body
    std::string_view body;
    std::span<const Field> fields; ///< more of them, for example Location
    bool keep_alive = false;
    bool to_head = false;  ///< the request was HEAD: the length is said, the body left out
    int minor_version = 1; ///< of the request
};
/// The whole message: status line, Date, Content-Length (not with 1xx, 204, 304), Connection, the fields, the body.
void append_response(std::string& out, const OwnResponse& response);

} // namespace gw::http
