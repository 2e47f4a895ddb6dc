#include "gateway/http/bytes.h"
#include "gateway/http/head_fields.h"
#include "gateway/http/message.h"

namespace gw::http {

namespace {

using head::Step;

Step malformed(const char* why) { return {Step::Kind::malformed, 0, why}; }

/// status-line = HTTP-version SP status-code [ SP [ reason-phrase ] ] CRLF. The SP before an absent reason is required
/// by RFC 9112 section 4 and left out by enough upstreams; nothing depends on it.
const char* read_status_line(std::string_view line, int major, int minor, ResponseHead& into)
{
    if (major != 1) return "not HTTP/1";
    into.minor_version = minor == 0 ? 0 : 1;
    if (line.size() < 12 || line[8] != ' ') return "a bad status line";
    const auto digits = line.substr(9, 3);
    for (const char c : digits)
        if (!bytes::is_digit(c)) return "a bad status code";
    into.status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
    if (into.status < 100) return "a bad status code";
    if (line.size() > 12 && line[12] != ' ') return "a bad status code";
    into.reason = line.size() > 13 ? line.substr(13) : std::string_view{};
    return bytes::find_forbidden(into.reason) == bytes::npos ? nullptr : "a control character";
}

Step parse_status_line(std::string_view window, ResponseHead& into)
{
    int major = 0, minor = 0;
    const auto version = head::parse_version(window, major, minor);
    if (version.kind != Step::Kind::done) return version;
    const auto end = window.find('\n');
    if (end == bytes::npos) {
        const auto rest = window.substr(0, window.size() - (window.back() == '\r' ? 1 : 0));
        return bytes::find_forbidden(rest) == bytes::npos ? Step{} : malformed("a control character");
    }
    if (window[end - 1] != '\r') return malformed("LF without CR");
    if (const auto* why = read_status_line(window.substr(0, end - 1), major, minor, into)) return malformed(why);
    return {Step::Kind::done, end + 1, ""};
}

/// RFC 9112 section 6.3, for what came. Whether a body may follow at all is asked afterwards.
const char* find_framing(const head::Known& known, ResponseHead& into)
{
    if (known.transfer_encoding) {
        if (known.content_length) return "Content-Length and Transfer-Encoding";
        if (into.minor_version == 0) return "Transfer-Encoding in HTTP/1.0";
        if (head::parse_coding(*known.transfer_encoding) != head::Coding::chunked) return "an unknown transfer coding";
        into.framing.kind = Framing::Kind::chunked;
    } else if (known.content_length) {
        if (!head::parse_length(*known.content_length, into.framing.length_bytes)) return "a bad Content-Length";
        into.framing.kind = Framing::Kind::length;
    } else {
        into.framing.kind = Framing::Kind::until_close;
    }
    return nullptr;
}

/// Takes the body away where there is none. True when the fields promised one that must not be.
bool drop_body(std::string_view method, ResponseHead& into)
{
    const auto promised = into.framing;
    const bool never = into.status < 200 || into.status == 204;
    const bool connected = method == "CONNECT" && into.status < 300;
    if (!never && !connected && method != "HEAD" && into.status != 304) return false;
    into.framing = {};
    return never && (promised.kind == Framing::Kind::chunked || promised.length_bytes > 0);
}

const char* understand(std::string_view method, ResponseHead& into)
{
    into.framing = {};
    into.upgrade = {};
    into.connection_options.clear();
    const auto known = head::find_known(into.fields);
    if (known.repeated) return known.repeated;
    if (const auto* why = find_framing(known, into)) return why;
    const bool wrongly_promised = drop_body(method, into);

    into.keep_alive = into.minor_version == 1;
    if (known.connection) {
        const auto& options = into.connection_options;
        if (const auto* why = head::parse_connection(into.fields, into.connection_options)) return why;
        if (into.minor_version == 0) into.keep_alive = head::has_option(options, "keep-alive");
        if (head::has_option(options, "close")) into.keep_alive = false;
        if (into.minor_version == 1 && head::has_option(options, "upgrade"))
            into.upgrade = head::usable_upgrade(known.upgrade);
    }
    if (wrongly_promised || into.framing.kind == Framing::Kind::until_close) into.keep_alive = false;
    return nullptr;
}

Step parse(std::string_view window, std::string_view method, const Limits& limits, HeadProgress& progress,
           ResponseHead& into)
{
    const bool resumed = progress.checked_bytes != 0;
    if (!resumed) {
        const auto start = parse_status_line(window, into);
        if (start.kind != Step::Kind::done) return start;
        progress = {start.end, 0, 0};
    }
    into.fields.clear();
    const auto step = head::parse_fields(window, limits.fields, progress, into.fields);
    if (step.kind != Step::Kind::done) return step;
    if (resumed) { // The buffer may have moved: views are made from the whole head, once.
        HeadProgress anew;
        return parse(window, method, limits, anew, into);
    }
    if (const auto* why = understand(method, into)) return malformed(why);
    return step;
}

} // namespace

Result<std::variant<NeedMore, Complete>> parse_response_head(std::string_view received, std::string_view request_method,
                                                             const Limits& limits, ResponseHead& into,
                                                             HeadProgress* progress)
{
    using Answer = std::variant<NeedMore, Complete>;
    HeadProgress fresh;
    const auto window = received.substr(0, limits.head_bytes);
    const auto step = parse(window, request_method, limits, progress ? *progress : fresh, into);
    switch (step.kind) {
    case Step::Kind::malformed: return Error{Fault::malformed, Side::upstream, step.why};
    case Step::Kind::too_many: return Error{Fault::too_large, Side::upstream, "too many fields"};
    case Step::Kind::need_more:
        if (window.size() == limits.head_bytes) return Error{Fault::too_large, Side::upstream, "the head is too large"};
        return Answer{NeedMore{}};
    case Step::Kind::done: break;
    }
    return Answer{Complete{step.end}};
}

} // namespace gw::http
