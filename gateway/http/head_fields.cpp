#include "gateway/http/head_fields.h"

#include "gateway/http/bytes.h"

#include <array>
#include <charconv>
#include <limits>

namespace gw::http::head {

namespace {

constexpr std::size_t max_connection_options = 32;

Step malformed(const char* why) { return {Step::Kind::malformed, 0, why}; }

/// A line without its end so far. CR may be its last byte only: what follows decides.
Step parse_tail(std::string_view tail, HeadProgress& progress)
{
    const bool ends_in_cr = !tail.empty() && tail.back() == '\r';
    const auto known = tail.size() - (ends_in_cr ? 1 : 0);
    const auto from = progress.scanned_bytes < known ? progress.scanned_bytes : known;
    if (bytes::find_forbidden(tail.substr(from, known - from)) != bytes::npos) return malformed("a control character");
    progress.scanned_bytes = known;
    return {};
}

/// Blanks around the value are SP. HTAB there is legal, unused, and read differently by some.
bool only_spaces_around(const Field& field)
{
    for (const char* at = field.name.data() + field.name.size() + 1; at < field.value.data(); ++at)
        if (*at != ' ') return false;
    for (const char* at = field.value.data() + field.value.size(); *at != '\r'; ++at)
        if (*at != ' ') return false;
    return true;
}

void note_once(const Field*& slot, const Field& field, const char* why, Known& known)
{
    if (slot) known.repeated = why;
    slot = &field;
}

} // namespace

Line parse_line(std::string_view line)
{
    const auto length = bytes::token_length(line);
    if (length == 0) return {{}, "a field without a name"};
    if (length == line.size()) return {{}, "a field line without a colon"};
    if (line[length] != ':') return {{}, "a byte that no field name holds"};
    const auto value = bytes::trim(line.substr(length + 1));
    if (bytes::find_forbidden(value) != bytes::npos) return {{}, "a control character"};
    return {{line.substr(0, length), value}, nullptr};
}

Step parse_fields(std::string_view window, std::size_t limit, HeadProgress& progress, std::vector<Field>& fields)
{
    for (;;) {
        const auto rest = window.substr(progress.checked_bytes);
        if (rest.empty()) return {};
        if (rest.front() == '\r') {
            if (rest.size() == 1) return {};
            if (rest[1] != '\n') return malformed("CR without LF");
            return {Step::Kind::done, progress.checked_bytes + 2, ""};
        }
        if (rest.front() == '\n') return malformed("LF without CR");
        if (progress.fields >= limit) return {Step::Kind::too_many, 0, ""};
        if (bytes::is_blank(rest.front())) return malformed("a folded field line");

        const auto end = rest.find('\n', progress.scanned_bytes);
        if (end == bytes::npos) return parse_tail(rest, progress);
        if (rest[end - 1] != '\r') return malformed("LF without CR");
        const auto line = parse_line(rest.substr(0, end - 1));
        if (line.why) return malformed(line.why);
        fields.push_back(line.field);
        progress = {progress.checked_bytes + end + 1, 0, progress.fields + 1};
    }
}

Known find_known(const std::vector<Field>& fields)
{
    Known known;
    int upgrades = 0;
    for (const auto& field : fields) {
        const auto name = field.name;
        switch (name.size()) {
        case 4:
            if (same_name(name, "host")) note_once(known.host, field, "Host twice", known);
            break;
        case 6:
            if (same_name(name, "expect")) known.expect = &field;
            break;
        case 7:
            if (same_name(name, "upgrade")) known.upgrade = ++upgrades == 1 ? &field : nullptr;
            break;
        case 10:
            if (same_name(name, "connection")) known.connection = true;
            break;
        case 14:
            if (same_name(name, "content-length"))
                note_once(known.content_length, field, "Content-Length twice", known);
            break;
        case 17:
            if (same_name(name, "transfer-encoding"))
                note_once(known.transfer_encoding, field, "Transfer-Encoding twice", known);
            break;
        default: break;
        }
    }
    return known;
}

bool parse_length(const Field& field, std::uint64_t& length)
{
    const auto text = field.value;
    if (text.empty() || text.size() > 19 || !only_spaces_around(field)) return false;
    if (text.front() == '0' && text.size() > 1) return false;
    for (const char c : text)
        if (!bytes::is_digit(c)) return false;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), length);
    return failed == std::errc{} && length <= std::uint64_t{std::numeric_limits<std::int64_t>::max()};
}

Coding parse_coding(const Field& field)
{
    if (!only_spaces_around(field)) return Coding::malformed;
    if (same_name(field.value, "chunked")) return Coding::chunked;
    // Not `next_element`: an empty element is a trick here, not tolerance.
    bool chunked = false;
    for (auto rest = field.value;;) {
        const auto comma = rest.find(',');
        const auto coding = bytes::trim(rest.substr(0, comma));
        if (!bytes::all_token(coding) || chunked) return Coding::malformed;
        chunked = same_name(coding, "chunked");
        if (comma == bytes::npos) break;
        rest.remove_prefix(comma + 1);
    }
    return Coding::other;
}

const char* parse_connection(const std::vector<Field>& fields, std::vector<std::string_view>& options)
{
    for (const auto& field : fields) {
        if (!same_name(field.name, "connection")) continue;
        auto list = field.value;
        for (auto option = bytes::next_element(list); !option.empty(); option = bytes::next_element(list)) {
            if (!bytes::all_token(option)) return "a Connection option that is no token";
            if (options.size() == max_connection_options) return "too many Connection options";
            options.push_back(option);
        }
    }
    return nullptr;
}

bool has_option(const std::vector<std::string_view>& options, std::string_view name)
{
    for (const auto option : options)
        if (same_name(option, name)) return true;
    return false;
}

std::string_view usable_upgrade(const Field* upgrade)
{
    if (!upgrade) return {};
    constexpr std::array<std::string_view, 3> uninspected{"h2c", "http", "tls"};
    auto list = upgrade->value;
    for (auto protocol = bytes::next_element(list); !protocol.empty(); protocol = bytes::next_element(list)) {
        const auto slash = protocol.find('/');
        const auto name = protocol.substr(0, slash);
        if (!bytes::all_token(name)) return {};
        if (slash != bytes::npos && !bytes::all_token(protocol.substr(slash + 1))) return {};
        for (const auto bad : uninspected)
            if (same_name(name, bad)) return {};
    }
    return upgrade->value;
}

Step parse_version(std::string_view text, int& major, int& minor)
{
    constexpr std::string_view form = "HTTP/1.1";
    for (std::size_t i = 0; i < form.size(); ++i) {
        if (i == text.size()) return {};
        const bool digit = i == 5 || i == 7;
        if (digit ? !bytes::is_digit(text[i]) : text[i] != form[i]) return malformed("not an HTTP version");
    }
    major = text[5] - '0';
    minor = text[7] - '0';
    return {Step::Kind::done, form.size(), ""};
}

} // namespace gw::http::head
