#include "gateway/http/encode.h"

#include "gateway/http/bytes.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>

namespace gw::http {

namespace {

/// The part of a request line where a space would be read as its end.
void append_word(std::string& out, std::string_view text)
{
    const auto begin = out.size();
    out += text;
    std::replace_if(
        out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(),
        [](char c) { return c == ' ' || bytes::is_control(c); }, '_');
}

void append_number(std::string& out, std::uint64_t number)
{
    char digits[20];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

void put_two(char*& at, int number)
{
    *at++ = static_cast<char>('0' + number / 10 % 10);
    *at++ = static_cast<char>('0' + number % 10);
}

void put(char*& at, std::string_view text) { at = std::copy(text.begin(), text.end(), at); }

struct Phrase {
    int status;
    std::string_view text;
};
constexpr std::array phrases{
    Phrase{100, "Continue"},
    Phrase{101, "Switching Protocols"},
    Phrase{102, "Processing"},
    Phrase{103, "Early Hints"},
    Phrase{200, "OK"},
    Phrase{201, "Created"},
    Phrase{202, "Accepted"},
    Phrase{203, "Non-Authoritative Information"},
    Phrase{204, "No Content"},
    Phrase{205, "Reset Content"},
    Phrase{206, "Partial Content"},
    Phrase{207, "Multi-Status"},
    Phrase{208, "Already Reported"},
    Phrase{226, "IM Used"},
    Phrase{300, "Multiple Choices"},
    Phrase{301, "Moved Permanently"},
    Phrase{302, "Found"},
    Phrase{303, "See Other"},
    Phrase{304, "Not Modified"},
    Phrase{305, "Use Proxy"},
    Phrase{307, "Temporary Redirect"},
    Phrase{308, "Permanent Redirect"},
    Phrase{400, "Bad Request"},
    Phrase{401, "Unauthorized"},
    Phrase{402, "Payment Required"},
    Phrase{403, "Forbidden"},
    Phrase{404, "Not Found"},
    Phrase{405, "Method Not Allowed"},
    Phrase{406, "Not Acceptable"},
    Phrase{407, "Proxy Authentication Required"},
    Phrase{408, "Request Timeout"},
    Phrase{409, "Conflict"},
    Phrase{410, "Gone"},
    Phrase{411, "Length Required"},
    Phrase{412, "Precondition Failed"},
    Phrase{413, "Content Too Large"},
    Phrase{414, "URI Too Long"},
    Phrase{415, "Unsupported Media Type"},
    Phrase{416, "Range Not Satisfiable"},
    Phrase{417, "Expectation Failed"},
    Phrase{421, "Misdirected Request"},
    Phrase{422, "Unprocessable Content"},
    Phrase{423, "Locked"},
    Phrase{424, "Failed Dependency"},
    Phrase{425, "Too Early"},
    Phrase{426, "Upgrade Required"},
    Phrase{428, "Precondition Required"},
    Phrase{429, "Too Many Requests"},
    Phrase{431, "Request Header Fields Too Large"},
    Phrase{451, "Unavailable For Legal Reasons"},
    Phrase{500, "Internal Server Error"},
    Phrase{501, "Not Implemented"},
    Phrase{502, "Bad Gateway"},
    Phrase{503, "Service Unavailable"},
    Phrase{504, "Gateway Timeout"},
    Phrase{505, "HTTP Version Not Supported"},
    Phrase{506, "Variant Also Negotiates"},
    Phrase{507, "Insufficient Storage"},
    Phrase{508, "Loop Detected"},
    Phrase{511, "Network Authentication Required"},
};

} // namespace

void append_text(std::string& out, std::string_view text)
{
    const auto begin = out.size();
    out += text;
    if (bytes::find_forbidden(text) == bytes::npos) return;
    std::replace_if(
        out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(),
        [](char c) { return bytes::is_control(c) && c != '\t'; }, ' ');
}

void append_request_line(std::string& out, std::string_view method, std::string_view path, std::string_view query,
                         int minor_version)
{
    append_word(out, method);
    out += ' ';
    append_word(out, path.empty() ? "/" : path);
    append_word(out, query);
    out += minor_version == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n";
}

void append_status_line(std::string& out, int status, std::string_view reason, int minor_version)
{
    assert(status >= 100 && status <= 999);
    out += minor_version == 0 ? "HTTP/1.0 " : "HTTP/1.1 ";
    append_number(out, static_cast<std::uint64_t>(status));
    out += ' ';
    append_text(out, reason.empty() ? reason_phrase(status) : reason);
    out += "\r\n";
}

void append_field(std::string& out, std::string_view name, std::string_view value)
{
    assert(bytes::all_token(name));
    out += name;
    out += ": ";
    append_text(out, value);
    out += "\r\n";
}

void append_field(std::string& out, std::string_view name, std::uint64_t value)
{
    assert(bytes::all_token(name));
    out += name;
    out += ": ";
    append_number(out, value);
    out += "\r\n";
}

void append_framing(std::string& out, const Framing& framing)
{
    if (framing.kind == Framing::Kind::length)
        append_field(out, "Content-Length", framing.length_bytes);
    else if (framing.kind == Framing::Kind::chunked)
        out += "Transfer-Encoding: chunked\r\n";
}

std::string_view reason_phrase(int status)
{
    const auto at = std::lower_bound(phrases.begin(), phrases.end(), status,
                                     [](const Phrase& phrase, int wanted) { return phrase.status < wanted; });
    return at != phrases.end() && at->status == status ? at->text : "Unknown";
}

std::string_view encode_date(std::time_t at, std::span<char, date_bytes> into)
{
    constexpr std::string_view days = "SunMonTueWedThuFriSat", months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    std::tm utc{};
    gmtime_r(&at, &utc);
    char* to = into.data();
    put(to, days.substr(static_cast<std::size_t>(utc.tm_wday) * 3, 3));
    put(to, ", ");
    put_two(to, utc.tm_mday);
    *to++ = ' ';
    put(to, months.substr(static_cast<std::size_t>(utc.tm_mon) * 3, 3));
    *to++ = ' ';
    put_two(to, (utc.tm_year + 1900) / 100);
    put_two(to, (utc.tm_year + 1900) % 100);
    *to++ = ' ';
    put_two(to, utc.tm_hour);
    *to++ = ':';
    put_two(to, utc.tm_min);
    *to++ = ':';
    put_two(to, utc.tm_sec);
    put(to, " GMT");
    return {into.data(), into.size()};
}

std::string_view current_date()
{
    thread_local std::array<char, date_bytes> text;
    thread_local std::time_t made_at = -1;
    std::timespec now{};
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != made_at) {
        encode_date(now.tv_sec, text);
        made_at = now.tv_sec;
    }
    return {text.data(), text.size()};
}

void append_response(std::string& out, const OwnResponse& response)
{
    const bool bodyless = response.status < 200 || response.status == 204 || response.status == 304;
    append_status_line(out, response.status, {}, response.minor_version);
    append_field(out, "Date", current_date());
    for (const auto& field : response.fields) append_field(out, field.name, field.value);
    if (!bodyless) {
        if (!response.body.empty() && !response.content_type.empty())
            append_field(out, "Content-Type", response.content_type);
        append_field(out, "Content-Length", std::uint64_t{response.body.size()});
    }
    if (!response.keep_alive)
        out += "Connection: close\r\n";
    else if (response.minor_version == 0)
        out += "Connection: keep-alive\r\n";
    append_end(out);
    if (!bodyless && !response.to_head) out += response.body;
}

} // namespace gw::http
