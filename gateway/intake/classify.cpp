// What the first bytes may be:
//   TLS       records of 0x16 0x03 <minor> <length 2>; their contents in a row are 0x01 <length 3> <ClientHello>
//   HTTP/2    "PRI * HTTP/2.0" CRLF CRLF "SM" CRLF CRLF
//   HTTP/1    [blanks and line ends] <method> <blank> ... "HTTP/" ... <line end>, read as leniently as any server does
//   other     the rest

#include "gateway/intake/classify.h"

#include "gateway/intake/client_hello.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace gw::intake {

namespace {

using Answer = Result<std::variant<NeedMore, Hello>>;

constexpr std::uint8_t handshake_record = 22;
constexpr std::uint8_t record_major_version = 3;
constexpr std::uint8_t client_hello_message = 1;
constexpr std::size_t record_header_bytes = 5;
constexpr std::size_t message_header_bytes = 4;
constexpr std::size_t max_record_bytes = 16 * 1024; // RFC 8446 5.1

constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The methods of the IANA registry, and those that servers and proxies are known to act on without it.
constexpr std::array<std::string_view, 47> methods{"ACL",
                                                   "BASELINE-CONTROL",
                                                   "BIND",
                                                   "CHECKIN",
                                                   "CHECKOUT",
                                                   "CONNECT",
                                                   "COPY",
                                                   "DELETE",
                                                   "GET",
                                                   "HEAD",
                                                   "LABEL",
                                                   "LINK",
                                                   "LOCK",
                                                   "MERGE",
                                                   "MKACTIVITY",
                                                   "MKCALENDAR",
                                                   "MKCOL",
                                                   "MKREDIRECTREF",
                                                   "MKWORKSPACE",
                                                   "MOVE",
                                                   "OPTIONS",
                                                   "ORDERPATCH",
                                                   "PATCH",
                                                   "POST",
                                                   "PROPFIND",
                                                   "PROPPATCH",
                                                   "PURGE",
                                                   "PUT",
                                                   "QUERY",
                                                   "REBIND",
                                                   "REPORT",
                                                   "SEARCH",
                                                   "TRACE",
                                                   "TRACK",
                                                   "UNBIND",
                                                   "UNCHECKOUT",
                                                   "UNLINK",
                                                   "UNLOCK",
                                                   "UPDATE",
                                                   "UPDATEREDIRECTREF",
                                                   "VERSION-CONTROL",
                                                   "NOTIFY",
                                                   "SUBSCRIBE",
                                                   "UNSUBSCRIBE",
                                                   "M-SEARCH",
                                                   "DEBUG",
                                                   "SOURCE"};

Answer answer_of(Hello::Kind kind)
{
    Hello hello;
    hello.kind = kind;
    return std::variant<NeedMore, Hello>{std::move(hello)};
}
Answer need_more() { return std::variant<NeedMore, Hello>{NeedMore{}}; }
Answer too_large() { return Error{Fault::too_large, Side::client, "ClientHello"}; }

std::uint8_t octet(std::string_view bytes, std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); }

enum class Reading { incomplete, broken, beyond_limit, whole };

/// Walks the records and gathers the ClientHello in them.
class ClientHelloReader {
public:
    ClientHelloReader(std::string_view received, std::size_t limit_bytes) : received_(received), limit_(limit_bytes) {}

    Reading read()
    {
        for (;;) {
            const auto header = read_record_header();
            if (header != Reading::whole) return header;
            // What is there of this record; a record that holds more than the message is cut at its end.
            const auto there = received_.substr(at_, record_end_ - at_);
            if (!gathered_.empty()) gathered_.append(there);
            const auto so_far = gathered_.empty() ? there : std::string_view{gathered_};
            const auto message = read_message(so_far);
            if (message != Reading::incomplete) return message;
            if (received_.size() <= record_end_) return Reading::incomplete;
            if (gathered_.empty()) gathered_.assign(there);
            at_ = record_end_;
        }
    }
    /// After `whole`: the ClientHello without type and length.
    std::string_view body() const { return body_; }

private:
    Reading read_record_header()
    {
        const auto rest = received_.substr(at_);
        // The minor version is ignored, as servers must (RFC 8446 5.1).
        if (!rest.empty() && octet(rest, 0) != handshake_record) return Reading::broken;
        if (rest.size() > 1 && octet(rest, 1) != record_major_version) return Reading::broken;
        if (rest.size() < record_header_bytes) return Reading::incomplete;
        const std::size_t length = static_cast<std::size_t>(octet(rest, 3)) << 8 | octet(rest, 4);
        if (length > max_record_bytes) return Reading::broken;
        at_ += record_header_bytes;
        record_end_ = at_ + length;
        return Reading::whole;
    }

    Reading read_message(std::string_view so_far)
    {
        if (!so_far.empty() && octet(so_far, 0) != client_hello_message) return Reading::broken;
        if (so_far.size() < message_header_bytes) return Reading::incomplete;
        const std::size_t length = static_cast<std::size_t>(octet(so_far, 1)) << 16 |
                                   static_cast<std::size_t>(octet(so_far, 2)) << 8 | octet(so_far, 3);
        if (so_far.size() >= message_header_bytes + length) {
            body_ = so_far.substr(message_header_bytes, length);
            return Reading::whole;
        }
        // The soonest it can end: in this record, or behind the header of one more.
        const auto end = std::min(received_.size(), record_end_) + message_header_bytes + length - so_far.size();
        const auto soonest = end <= record_end_ ? end : end + record_header_bytes;
        return soonest > limit_ ? Reading::beyond_limit : Reading::incomplete;
    }

    std::string_view received_;
    std::size_t limit_;
    std::size_t at_ = 0;         // in `received_`
    std::size_t record_end_ = 0; // in `received_`, may be past its end
    std::string gathered_;       // only when the message spans records
    std::string_view body_;
};

Answer classify_tls(std::string_view received, std::size_t limit_bytes)
{
    ClientHelloReader reader{received, limit_bytes};
    switch (reader.read()) {
    case Reading::incomplete: return received.size() < limit_bytes ? need_more() : too_large();
    case Reading::broken: return answer_of(Hello::Kind::other);
    case Reading::beyond_limit: return too_large();
    case Reading::whole: break;
    }
    auto hello = parse_client_hello(reader.body());
    if (!hello) return answer_of(Hello::Kind::other);
    return std::variant<NeedMore, Hello>{std::move(*hello)};
}

constexpr char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool same_letters(std::string_view a, std::string_view b)
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return upper(x) == upper(y); });
}

bool is_token_byte(char c) // RFC 9110 5.6.2
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos);
}

bool is_blank(char c) // what lenient servers take for a space in a request line, RFC 9112 3
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

std::size_t length_while(std::string_view text, bool (*holds)(char))
{
    return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), holds) - text.begin());
}

bool names_http(std::string_view line)
{
    constexpr std::string_view word = "HTTP/";
    return std::search(line.begin(), line.end(), word.begin(), word.end(),
                       [](char x, char y) { return upper(x) == y; }) != line.end();
}

/// A request line from its method on; `full`: no more of it may come. Nothing: cannot tell yet.
std::optional<Hello::Kind> kind_of_line(std::string_view text, bool full)
{
    const auto undecided = full ? std::optional{Hello::Kind::http1} : std::nullopt;
    const auto length = length_while(text, is_token_byte);
    const auto method = text.substr(0, length);
    const auto rest = text.substr(length);
    if (rest.empty()) return undecided;
    if (method.empty() || !is_blank(rest.front())) return Hello::Kind::other;
    if (rest == "\r") return undecided; // a bare CR is a blank, CRLF ends the line

    const auto line_end = rest.find('\n');
    const auto line = rest.substr(0, line_end);
    const auto target = line.substr(length_while(line, is_blank));
    const auto is_method = [&](std::string_view known) { return same_letters(known, method); };
    if (const auto* known = std::find_if(methods.begin(), methods.end(), is_method); known != methods.end()) {
        // Other protocols have a "get" of their own, but not one that is followed by a path.
        if (*known == method && line != "\r") return Hello::Kind::http1;
        if (target.starts_with('/')) return Hello::Kind::http1;
    }
    if (names_http(line)) return Hello::Kind::http1;
    if (line_end != std::string_view::npos) return Hello::Kind::other;
    return undecided;
}

Answer classify_text(std::string_view received, bool full)
{
    const auto preface_part = http2_preface.substr(0, received.size());
    if (received.starts_with(preface_part)) {
        if (preface_part.size() == http2_preface.size()) return answer_of(Hello::Kind::http2);
        if (!full) return need_more();
    }
    const auto begin = length_while(received, [](char c) { return is_blank(c) || c == '\n'; });
    const auto kind = kind_of_line(received.substr(begin), full);
    return kind ? answer_of(*kind) : need_more();
}

} // namespace

Answer classify(std::string_view received, std::size_t limit_bytes)
{
    // Only the first `limit_bytes` count, so that the answer does not depend on how much came at once.
    const auto counted = received.substr(0, limit_bytes);
    if (counted.empty()) return need_more();
    if (octet(counted, 0) == handshake_record) return classify_tls(counted, limit_bytes);
    return classify_text(counted, received.size() >= limit_bytes);
}

} // namespace gw::intake
