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
    std::string_view name;       ///< as written; compare with `same_name`
    std::string_view value;      ///< without the spaces around it
};

/// ASCII case does not count. RFC 9110 section 5.1.
bool same_name(std::string_view a, std::string_view b);

/// How a message's body ends. RFC 9112 section 6.3.
struct Framing {
    enum class Kind { none, length, chunked, until_close };
    Kind kind = Kind::none;
    std::uint64_t length_bytes = 0;          ///< of `length`
};

/// The form of a request target. RFC 9112 section 3.2.
enum class TargetForm { origin, absolute, authority, asterisk };

/// A request's head. Refilled for each request of a connection, so that `fields` keeps its memory. All views point
/// into the bytes it was parsed from.
struct RequestHead {
    std::string_view method;
    std::string_view target;             ///< as written
    TargetForm form = TargetForm::origin;
    std::string_view scheme;             ///< of the absolute form
    std::string_view authority;          ///< of the absolute or authority form, else the Host field; may be empty (1.0)
    std::string_view host;               ///< of the authority, without port and brackets, as written
    std::optional<std::uint16_t> port;   ///< of the authority
    std::string_view path;               ///< as written, without query; "/" when the absolute form has none
    std::string_view query;              ///< with its '?', or empty
    int minor_version = 1;               ///< HTTP/1.0 or 1.1
    std::vector<Field> fields;           ///< in order, all of them
    Framing framing;
    bool keep_alive = false;             ///< the client would go on (version and Connection, RFC 9112 section 9.3)
    bool expects_continue = false;       ///< RFC 9110 section 10.1.1
    std::string_view upgrade;            ///< value of Upgrade when Connection names it; empty: none
    std::vector<std::string_view> connection_options;    ///< tokens of Connection: fields that end here

    /// First field of that name, or none.
    const Field* find(std::string_view name) const;
};

struct ResponseHead {
    int status = 0;                      ///< 100..999
    std::string_view reason;
    int minor_version = 1;
    std::vector<Field> fields;
    Framing framing;                     ///< for the request method it was parsed with
    bool keep_alive = false;             ///< the upstream would go on
    std::string_view upgrade;
    std::vector<std::string_view> connection_options;

    const Field* find(std::string_view name) const;
};

struct NeedMore {};                      ///< not wrong so far, not complete
struct Complete {
    std::size_t size_bytes;              ///< of the head, its empty line included
};

/// Why a request head is refused: what the client is told, and what the log says. `error.side` is the client.
struct Refusal {
    int status;                          ///< 400, 414, 431, 501 or 505
    Error error;
};

/// Looks for a request head at the start of `received`: everything read so far, from the first byte. At most one empty
/// line before the request line is skipped (RFC 9112 section 2.2). Pure and strict: what two parsers could read in two
/// ways is refused. The verdict is the same however the bytes are cut.
std::variant<NeedMore, Complete, Refusal> parse_request_head(std::string_view received, const Limits& limits,
                                                             RequestHead& into);

/// The same for a response to `request_method`. Errors: `malformed` or `too_large`, side upstream.
Result<std::variant<NeedMore, Complete>> parse_response_head(std::string_view received, std::string_view request_method,
                                                             const Limits& limits, ResponseHead& into);

/// Fields that end at this hop: Connection and what it names, Keep-Alive, Proxy-Connection, TE, Transfer-Encoding,
/// Upgrade, Proxy-Authenticate, Proxy-Authorization. RFC 9110 section 7.6.1.
bool ends_here(std::string_view field_name, const std::vector<std::string_view>& connection_options);

} // namespace gw::http
