#include "gateway/http/path.h"

#include "gateway/http/bytes.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace gw::http {

namespace {

enum class Care : std::uint8_t { none, look, refuse };

constexpr std::array<Care, 256> care_table()
{
    std::array<Care, 256> table{};
    for (std::size_t c = 0; c < 256; ++c)
        if (c <= 0x20 || c >= 0x7f) table[c] = Care::refuse;
    table['#'] = table['?'] = Care::refuse;
    table['%'] = table['\\'] = Care::look;
    return table;
}
constexpr auto care = care_table();

Error malformed(const char* what) { return {Fault::malformed, Side::client, what}; }

/// Most paths are in their normal form: no escape, no backslash, no segment that begins with a dot.
enum class Glance { normal, look, refuse };
Glance glance(std::string_view path)
{
    auto answer = Glance::normal;
    char before = 0;
    for (const char c : path) {
        const auto one = care[static_cast<unsigned char>(c)];
        if (one == Care::refuse) return Glance::refuse;
        if (one == Care::look || (c == '.' && before == '/')) answer = Glance::look;
        before = c;
    }
    return answer;
}

/// Unreserved characters decoded, other escapes in upper case. Null, or why not.
const char* decode_unreserved(std::string_view path, std::string& out)
{
    constexpr char upper_hex[] = "0123456789ABCDEF";
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (path[i] != '%') {
            out += path[i];
            continue;
        }
        if (path.size() - i < 3) return "a broken escape in the path";
        const int high = bytes::hex_value(path[i + 1]), low = bytes::hex_value(path[i + 2]);
        if (high < 0 || low < 0) return "a broken escape in the path";
        const char byte = static_cast<char>(high * 16 + low);
        if (byte == 0) return "%00 in the path";
        if (bytes::is_unreserved(byte)) {
            out += byte;
        } else {
            out += '%';
            out += upper_hex[high];
            out += upper_hex[low];
        }
        i += 2;
    }
    return nullptr;
}

/// The byte of the escape at `at` of a decoded path, or -1.
int escaped(std::string_view path, std::size_t at)
{
    if (at + 2 >= path.size() || path[at] != '%') return -1;
    return bytes::hex_value(path[at + 1]) * 16 + bytes::hex_value(path[at + 2]);
}

/// ASCII in two, three or four bytes of UTF-8: C0 80..C1 BF, E0 80 80..E0 81 BF, F0 80 80 80..F0 80 81 BF.
bool has_overlong_ascii(std::string_view path)
{
    const auto continues = [](int byte) { return byte >= 0x80 && byte <= 0xbf; };
    for (std::size_t i = 0; i < path.size(); ++i) {
        const int lead = escaped(path, i);
        if (lead < 0xc0) continue;
        const int second = escaped(path, i + 3), third = escaped(path, i + 6), fourth = escaped(path, i + 9);
        if (lead <= 0xc1 && continues(second)) return true;
        if (lead == 0xe0 && (second == 0x80 || second == 0x81) && continues(third)) return true;
        if (lead == 0xf0 && second == 0x80 && (third == 0x80 || third == 0x81) && continues(fourth)) return true;
    }
    return false;
}

/// How many bytes at `at` some upstream takes for a slash: '/', '\', %2F, %5C. 0: none.
std::size_t slash_bytes(std::string_view path, std::size_t at)
{
    if (path[at] == '/' || path[at] == '\\') return 1;
    const int byte = escaped(path, at);
    return byte == '/' || byte == '\\' ? 3 : 0;
}

bool is_dots(std::string_view segment) { return segment == "." || segment == ".."; }

/// "..;x", ".;", "..%3Bx": dots to whoever cuts parameters off.
bool is_dots_with_parameter(std::string_view segment)
{
    const auto end = segment.find_first_not_of('.');
    if (end == bytes::npos || end == 0 || end > 2) return false;
    return segment[end] == ';' || escaped(segment, end) == ';';
}

/// True when a segment inside `segment`, split at what some take for slashes, is one of dots.
bool hides_dots(std::string_view segment)
{
    std::size_t begin = 0, at = 0;
    bool split = false;
    while (at <= segment.size()) {
        const auto slash = at < segment.size() ? slash_bytes(segment, at) : 1;
        if (slash == 0) {
            ++at;
            continue;
        }
        const auto part = segment.substr(begin, at - begin);
        split = split || at < segment.size();
        if (is_dots_with_parameter(part) || (split && is_dots(part))) return true;
        at += slash;
        begin = at;
    }
    return false;
}

bool has_other_slash(std::string_view segment)
{
    for (std::size_t i = 0; i < segment.size(); ++i)
        if (slash_bytes(segment, i) != 0) return true;
    return false;
}

/// RFC 3986 section 5.2.4, in place: what is kept never outgrows what was read. Null, or why not.
const char* remove_dot_segments(std::string& path)
{
    std::size_t kept = 0; // path[0, kept) is the answer so far; it does not end with the '/' of the next segment
    std::size_t read = 0;
    const std::size_t size = path.size();
    while (read < size) {
        auto end = path.find('/', read + 1);
        if (end == bytes::npos) end = size;
        const std::string_view segment{path.data() + read + 1, end - read - 1};
        const bool last = end == size;
        if (hides_dots(segment)) return "dots in the path that some would resolve";
        if (segment == "..") {
            if (kept == 0) return "a path above the root";
            const auto slash = path.rfind('/', kept - 1);
            const std::string_view removed{path.data() + slash + 1, kept - slash - 1};
            if (removed.empty()) return "'..' behind an empty segment";
            if (has_other_slash(removed)) return "'..' behind an encoded slash";
            kept = slash;
        } else if (segment != ".") {
            if (kept != read) std::copy(path.data() + read, path.data() + end, path.data() + kept);
            kept += end - read;
        }
        if (last && is_dots(segment)) path[kept++] = '/';
        read = end;
    }
    path.resize(kept);
    return nullptr;
}

} // namespace

Result<std::string_view> normalise_path(std::string_view path, std::string& scratch)
{
    if (path == "*") return path;
    if (path.empty() || path.front() != '/') return malformed("a path that does not begin with '/'");
    switch (glance(path)) {
    case Glance::normal: return path;
    case Glance::refuse: return malformed("a byte that no path holds");
    case Glance::look: break;
    }
    scratch.clear();
    if (const auto* why = decode_unreserved(path, scratch)) return malformed(why);
    if (has_overlong_ascii(scratch)) return malformed("ASCII in overlong UTF-8 in the path");
    if (const auto* why = remove_dot_segments(scratch)) return malformed(why);
    if (scratch == path) return path;
    return std::string_view{scratch};
}

std::string_view path_for_inspection(std::string_view path, std::string& scratch)
{
    const auto is_mark = [path](std::size_t at) {
        return path[at + 1] == '3' && (path[at + 2] == 'F' || path[at + 2] == 'f');
    };
    scratch.clear();
    std::size_t copied = 0;
    for (auto at = path.find('%'); at != bytes::npos && path.size() - at >= 3; at = path.find('%', at + 1)) {
        if (!is_mark(at)) continue;
        scratch.append(path, copied, at - copied).append("%253F");
        copied = at + 3;
    }
    if (copied == 0) return path;
    scratch.append(path, copied);
    return scratch;
}

std::string_view normalise_host(std::string_view host, std::string& scratch)
{
    if (host.size() > 1 && host.back() == '.') host.remove_suffix(1);
    std::size_t at = 0;
    while (at < host.size() && bytes::lower(host[at]) == host[at]) ++at;
    if (at == host.size()) return host;
    scratch.assign(host);
    for (; at < scratch.size(); ++at) scratch[at] = bytes::lower(scratch[at]);
    return scratch;
}

bool has_other_readings(std::string_view path)
{
    return path.find(';') != std::string_view::npos || path.find('\\') != std::string_view::npos ||
           path.find("%2F") != std::string_view::npos || path.find("%5C") != std::string_view::npos;
}

std::string other_reading(std::string_view path, int reading)
{
    const bool slashes = reading != 1;
    const bool parameters = reading != 0;
    std::string read;
    bool in_parameter = false;
    while (!path.empty()) {
        std::size_t taken = 1;
        char letter = path.front();
        const bool escaped = path.starts_with("%2F") || path.starts_with("%5C");
        if (slashes && (escaped || letter == '\\')) {
            taken = escaped ? 3 : 1;
            letter = '/';
        }
        if (letter == '/') in_parameter = false;
        if (parameters && letter == ';') in_parameter = true;
        if (!in_parameter) read += letter;
        path.remove_prefix(taken);
    }
    return read;
}

} // namespace gw::http
