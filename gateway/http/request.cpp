#include "gateway/http/bytes.h"
#include "gateway/http/head_fields.h"
#include "gateway/http/message.h"
#include "gateway/http/url.h"

namespace gw::http {

namespace {

using head::Step;

constexpr std::size_t max_method_bytes = 64;

/// Nothing wrong: status 0. `end` 0 then: more is needed.
struct Verdict {
    int status = 0;
    const char* why = "";
    std::size_t end = 0;
};

struct RequestLine {
    std::string_view method;
    std::string_view target;
    int major = 1;
    int minor = 1;
};

/// The first byte that no target holds: outside 0x21..0x7e, or '#'. Eight bytes a step; size when there is none.
std::size_t target_length(std::string_view text)
{
    constexpr std::uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
    const auto allowed = [](char c) { return c > 0x20 && c < 0x7f && c != '#'; };
    std::size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + at, 8);
        const std::uint64_t seven = word & ~high;
        const std::uint64_t hash = word ^ ('#' * ones);
        const std::uint64_t suspicious =
            (word | ~(seven + 0x5f * ones) | (seven + ones) | ((hash - ones) & ~hash)) & high;
        if (suspicious == 0) continue;
        for (std::size_t i = 0; i < 8; ++i)
            if (!allowed(text[at + i])) return at + i;
    }
    while (at < text.size() && allowed(text[at])) ++at;
    return at;
}

/// request-line = method SP request-target SP HTTP-version CRLF (RFC 9112 section 3), from left to right: the first
/// byte that is wrong decides.
Verdict parse_request_line(std::string_view text, const Limits& limits, RequestLine& line)
{
    const auto method_end = bytes::token_length(text);
    if (method_end > max_method_bytes) return {501, "the method is too long"};
    if (method_end == text.size()) return {};
    if (method_end == 0 || text[method_end] != ' ') return {400, "the method is no token"};
    line.method = text.substr(0, method_end);

    const auto after_method = text.substr(method_end + 1);
    const auto target_end = target_length(after_method);
    if (target_end > limits.target_bytes) return {414, "the target is too long"};
    if (target_end == after_method.size()) return {};
    if (target_end == 0 || after_method[target_end] != ' ') return {400, "a byte that no target holds"};
    line.target = after_method.substr(0, target_end);

    const auto after_target = after_method.substr(target_end + 1);
    const auto version = head::parse_version(after_target, line.major, line.minor);
    if (version.kind == Step::Kind::malformed) return {400, version.why};
    if (version.kind == Step::Kind::need_more || after_target.size() == version.end) return {};
    if (after_target[version.end] != '\r') return {400, "more after the version"};
    if (after_target.size() == version.end + 1) return {};
    if (after_target[version.end + 1] != '\n') return {400, "CR without LF"};
    if (line.major != 1) return {505, "not HTTP/1"};
    return {0, "", text.size() - after_target.size() + version.end + 2};
}

void split_path(std::string_view text, RequestHead& into)
{
    const auto mark = text.find('?');
    into.path = text.substr(0, mark);
    into.query = mark == bytes::npos ? std::string_view{} : text.substr(mark);
}

bool take_authority(std::string_view text, RequestHead& into)
{
    const auto parsed = parse_authority(text);
    if (!parsed) return false;
    into.authority = text;
    into.host = parsed->host;
    into.port = parsed->port == 0 ? std::nullopt : std::optional{parsed->port};
    return true;
}

/// absolute-form: of http and https only; any other scheme is none of ours. RFC 9112 section 3.2.2.
const char* split_absolute(RequestHead& into)
{
    into.form = TargetForm::absolute;
    const auto colon = into.target.find("://");
    if (colon == bytes::npos) return "a target of no known form";
    into.scheme = into.target.substr(0, colon);
    if (!same_name(into.scheme, "http") && !same_name(into.scheme, "https"))
        return "a scheme other than http and https";
    const auto rest = into.target.substr(colon + 3);
    const auto authority_end = rest.find_first_of("/?");
    if (!take_authority(rest.substr(0, authority_end), into)) return "a bad authority in the target";
    split_path(authority_end == bytes::npos ? std::string_view{} : rest.substr(authority_end), into);
    // RFC 9112 section 3.2.4: without path and query an OPTIONS is for the whole server.
    if (into.path.empty()) into.path = into.method == "OPTIONS" && into.query.empty() ? "*" : "/";
    return nullptr;
}

const char* split_target(RequestHead& into)
{
    if (into.method == "CONNECT") {
        into.form = TargetForm::authority;
        if (!take_authority(into.target, into) || !into.port) return "CONNECT to no host and port";
        return nullptr;
    }
    if (into.target.front() == '/') {
        into.form = TargetForm::origin;
        split_path(into.target, into);
        return nullptr;
    }
    if (into.target == "*") {
        into.form = TargetForm::asterisk;
        into.path = into.target;
        return into.method == "OPTIONS" ? nullptr : "the target '*' without OPTIONS";
    }
    return split_absolute(into);
}

/// The target's authority wins; a Host that says something else is refused: whoever reads only one of them would go
/// somewhere else.
const char* check_host(const head::Known& known, RequestHead& into)
{
    if (!known.host) return into.minor_version == 0 ? nullptr : "no Host";
    if (into.form == TargetForm::origin || into.form == TargetForm::asterisk)
        return take_authority(known.host->value, into) ? nullptr : "a bad Host";
    const auto host = parse_authority(known.host->value);
    if (!host) return "a bad Host";
    const std::uint16_t usual = into.form == TargetForm::authority ? *into.port
                                : same_name(into.scheme, "https")  ? std::uint16_t{443}
                                                                   : std::uint16_t{80};
    const bool same_port = (host->port ? host->port : usual) == into.port.value_or(usual);
    return same_name(host->host, into.host) && same_port ? nullptr : "a Host that is not the target's";
}

/// RFC 9112 section 6.3, and stricter: two ways to say where the body ends are one too many.
Verdict find_framing(const head::Known& known, RequestHead& into)
{
    if (known.transfer_encoding) {
        if (known.content_length) return {400, "Content-Length and Transfer-Encoding"};
        if (into.minor_version == 0) return {400, "Transfer-Encoding in HTTP/1.0"};
        const auto coding = head::parse_coding(*known.transfer_encoding);
        if (coding == head::Coding::malformed) return {400, "a bad Transfer-Encoding"};
        if (coding == head::Coding::other) return {501, "an unknown transfer coding"};
        into.framing.kind = Framing::Kind::chunked;
    } else if (known.content_length) {
        if (!head::parse_length(*known.content_length, into.framing.length_bytes)) return {400, "a bad Content-Length"};
        into.framing.kind = Framing::Kind::length;
    }
    return {};
}

const char* learn_connection(const head::Known& known, RequestHead& into)
{
    into.connection_options.clear();
    into.keep_alive = into.minor_version == 1;
    if (!known.connection) return nullptr;
    const auto& options = into.connection_options;
    if (const auto* why = head::parse_connection(into.fields, into.connection_options)) return why;
    for (const auto name : {"content-length", "host", "transfer-encoding"})
        if (head::has_option(options, name)) return "a Connection that names Host or framing";
    if (into.minor_version == 0) into.keep_alive = head::has_option(options, "keep-alive");
    if (head::has_option(options, "close")) into.keep_alive = false;
    if (into.minor_version == 1 && head::has_option(options, "upgrade"))
        into.upgrade = head::usable_upgrade(known.upgrade);
    return nullptr;
}

Verdict understand(RequestHead& into)
{
    into.scheme = into.authority = into.host = into.path = into.query = into.upgrade = {};
    into.port.reset();
    into.framing = {};
    const auto known = head::find_known(into.fields);
    if (known.repeated) return {400, known.repeated};
    if (const auto* why = split_target(into)) return {400, why};
    if (const auto* why = check_host(known, into)) return {400, why};
    if (const auto verdict = find_framing(known, into); verdict.status != 0) return verdict;
    if (const auto* why = learn_connection(known, into)) return {400, why};
    const bool body = into.framing.kind == Framing::Kind::chunked || into.framing.length_bytes > 0;
    into.expects_continue =
        body && into.minor_version == 1 && known.expect && same_name(known.expect->value, "100-continue");
    return {};
}

/// The request line, when no call before has seen it whole. `progress` moves behind it.
Verdict parse_start(std::string_view window, const Limits& limits, HeadProgress& progress, RequestHead& into)
{
    std::size_t begin = 0;
    if (!window.empty() && window.front() == '\r') {
        if (window.size() == 1) return {};
        if (window[1] != '\n') return {400, "CR without LF"};
        begin = 2;
    }
    RequestLine line;
    auto verdict = parse_request_line(window.substr(begin), limits, line);
    if (verdict.status != 0 || verdict.end == 0) return verdict;
    into.method = line.method;
    into.target = line.target;
    into.minor_version = line.minor == 0 ? 0 : 1;
    progress = {begin + verdict.end, 0, 0};
    return verdict;
}

/// `window` is at most the limit long: what does not end in it is too large.
Verdict parse(std::string_view window, const Limits& limits, HeadProgress& progress, RequestHead& into)
{
    const bool full = window.size() == limits.head_bytes;
    const bool resumed = progress.checked_bytes != 0;
    if (!resumed) {
        const auto start = parse_start(window, limits, progress, into);
        if (start.status != 0) return start;
        if (start.end == 0) return full ? Verdict{414, "the request line is too long"} : start;
    }
    into.fields.clear();
    const auto step = head::parse_fields(window, limits.fields, progress, into.fields);
    switch (step.kind) {
    case Step::Kind::malformed: return {400, step.why};
    case Step::Kind::too_many: return {431, "too many fields"};
    case Step::Kind::need_more: return full ? Verdict{431, "the head is too large"} : Verdict{};
    case Step::Kind::done: break;
    }
    if (resumed) { // The buffer may have moved: views are made from the whole head, once.
        HeadProgress anew;
        return parse(window, limits, anew, into);
    }
    auto verdict = understand(into);
    verdict.end = step.end;
    return verdict;
}

Refusal refuse(const Verdict& verdict)
{
    const bool too_large = verdict.status == 414 || verdict.status == 431;
    return {verdict.status, {too_large ? Fault::too_large : Fault::malformed, Side::client, verdict.why}};
}

} // namespace

std::variant<NeedMore, Complete, Refusal> parse_request_head(std::string_view received, const Limits& limits,
                                                             RequestHead& into, HeadProgress* progress)
{
    HeadProgress fresh;
    const auto verdict = parse(received.substr(0, limits.head_bytes), limits, progress ? *progress : fresh, into);
    if (verdict.status != 0) return refuse(verdict);
    if (verdict.end == 0) return NeedMore{};
    return Complete{verdict.end};
}

} // namespace gw::http
