#pragma once

#include "gateway/base/result.h"
#include "gateway/http/settings.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gw::http {

/// One header field. Views into the buffer the message was read into.
struct Field {
    std::string_view name;  ///< as written; compare with `same_name`
    std::string_view value; ///< without the spaces around it
};

/// ASCII case does not count. RFC 9110 section 5.1.
bool same_name(std::string_view a, std::string_view b);

/// How a message's body ends. RFC 9112 section 6.3.
struct Framing {
    enum class Kind { none, length, chunked, until_close };
    Kind kind = Kind::none;
    std::uint64_t length_bytes = 0; ///< of `length`
};

/// The form of a request target. RFC 9112 section 3.2.
enum class TargetForm { origin, absolute, authority, asterisk };

/// A request's head. Refilled for each request of a connection, so that `fields` keeps its memory. All views point
/// into the bytes it was parsed from.
struct RequestHead {
    std::string_view method;
    std::string_view target; ///< as written
    TargetForm form = TargetForm::origin;
    std::string_view scheme;           ///< of the absolute form
    std::string_view authority;        ///< of the absolute or authority form, else the Host field; may be empty (1.0)
    std::string_view host;             ///< of the authority, without port and brackets, as written
    std::optional<std::uint16_t> port; ///< of the authority
    std::string_view path;             ///< as written, without query; "/" when the absolute form has none
    std::string_view query;            ///< with its '?', or empty
    int minor_version = 1;             ///< HTTP/1.0 or 1.1
    std::vector<Field> fields;         ///< in order, all of them
    Framing framing;
    bool keep_alive = false;       ///< the client would go on (version and Connection, RFC 9112 section 9.3)
    bool expects_continue = false; ///< a body follows and waits for 100 (RFC 9110 section 10.1.1); never in 1.0
    /// Value of Upgrade when Connection names it; empty: none. Never one that names h2c, HTTP or TLS: what follows such
    /// a switch would be messages nobody inspects.
    std::string_view upgrade;
    std::vector<std::string_view> connection_options; ///< tokens of Connection: fields that end here

    /// First field of that name, or none.
    const Field* find(std::string_view name) const;
};

struct ResponseHead {
    int status = 0; ///< 100..999
    std::string_view reason;
    int minor_version = 1;
    std::vector<Field> fields;
    Framing framing;         ///< for the request method it was parsed with
    bool keep_alive = false; ///< the upstream would go on
    std::string_view upgrade;
    std::vector<std::string_view> connection_options;

    const Field* find(std::string_view name) const;
};

struct NeedMore {}; ///< not wrong so far, not complete
struct Complete {
    std::size_t size_bytes; ///< of the head, its empty line included
};

/// Why a request head is refused: what the client is told, and what the log says. `error.side` is the client.
struct Refusal {
    int status; ///< 400, 414, 431, 501 or 505
    Error error;
};

/// How far a head was looked at when more was asked for, so that the next call goes on there and a head that arrives
/// byte by byte costs as much as one that comes at once. One for each head: start the next one with a new one.
struct HeadProgress {
    std::size_t checked_bytes = 0; ///< whole lines that are well formed
    std::size_t scanned_bytes = 0; ///< of the line after them, without its end so far
    std::size_t fields = 0;        ///< among the checked lines
};

/// Looks for a request head at the start of `received`: everything read so far, from the first byte. At most one empty
/// line before the request line is skipped (RFC 9112 section 2.2). Pure and strict: what two parsers could read in two
/// ways is refused. The verdict is the same however the bytes are cut. `into` is filled only when the head is complete.
/// `progress`, when given, is what the calls before with the beginning of the same bytes left.
///
/// Stricter than RFC 9112 where leniency is ambiguity: lines end with CRLF only; Content-Length is one number without
/// leading zeros; a blank other than SP around a length or coding is refused; a Host with '%' or ',' is refused, and so
/// is one that differs from the target's authority. As lenient as nginx in the target's printable bytes: any of
/// 0x21..0x7e but '#' (RFC 3986 leaves out '"<>\^`{|}'); `normalise_path` refuses those of '\' that matter.
/// Status of a refusal: 400, but 414 for a target over its limit, 431 for fields over theirs, 501 for an unknown
/// transfer coding and a method over 64 bytes, 505 for a version other than 1.x.
std::variant<NeedMore, Complete, Refusal> parse_request_head(std::string_view received, const Limits& limits,
                                                             RequestHead& into, HeadProgress* progress = nullptr);

/// The same for a response to `request_method`. No empty line before it is skipped. A response that must have no body
/// (to HEAD; 1xx, 204, 304; 2xx to CONNECT) has none, whatever its fields say; when they promise one with 1xx or 204,
/// `keep_alive` is false, since the upstream may send it all the same.
/// Errors: `malformed` or `too_large`, side upstream.
Result<std::variant<NeedMore, Complete>> parse_response_head(std::string_view received, std::string_view request_method,
                                                             const Limits& limits, ResponseHead& into,
                                                             HeadProgress* progress = nullptr);

/// Fields that end at this hop: Connection and what it names, Keep-Alive, Proxy-Connection, TE, Transfer-Encoding,
/// Upgrade, Proxy-Authenticate, Proxy-Authorization. RFC 9110 section 7.6.1.
/// Connection cannot take away what the message means: Content-*, Host, Authorization, Cookie, Set-Cookie, Range, the
/// conditions, Cache-Control, Location, Expect and the forwarding fields stay when it names them.
bool ends_here(std::string_view field_name, const std::vector<std::string_view>& connection_options);

/// True for the fields in which proxies tell who asked: X-Forwarded and X-Forwarded-*, Forwarded (RFC 7239), X-Real-IP,
/// X-Client-IP, True-Client-IP. Those of a stranger are dropped, and none is copied: `append_forwarding` (forwarded.h)
/// writes them.
bool is_forwarding_field(std::string_view name);

} // namespace gw::http
