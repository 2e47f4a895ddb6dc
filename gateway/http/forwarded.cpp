#include "gateway/http/forwarded.h"

#include "gateway/http/bytes.h"
#include "gateway/http/encode.h"

#include <algorithm>
#include <charconv>

namespace gw::http {

namespace {

/// The values of every field of that name as one list. RFC 9110 section 5.3.
bool append_believed(std::string& out, std::span<const Field> believed, std::string_view name)
{
    bool any = false;
    for (const auto& field : believed) {
        if (!same_name(field.name, name) || field.value.empty()) continue;
        if (any) out += ", ";
        append_text(out, field.value);
        any = true;
    }
    return any;
}

/// One value of a name that has only one: the believed sender's first, or ours.
void append_single(std::string& out, std::string_view name, std::string_view own, std::span<const Field> believed)
{
    const auto theirs = std::find_if(believed.begin(), believed.end(),
                                     [name](const Field& field) { return same_name(field.name, name); });
    const auto value = theirs == believed.end() ? own : theirs->value;
    if (!value.empty()) append_field(out, name, value);
}

/// token / quoted-string, RFC 7239 section 4. A host was parsed; what could end a quoted string is left out all the
/// same.
void append_quoted(std::string& out, std::string_view value)
{
    out += '"';
    for (const char c : value)
        if (!bytes::is_control(c) && c != '"' && c != '\\') out += c;
    out += '"';
}

void append_forwarded(std::string& out, const Asked& asked, std::string_view address, std::span<const Field> believed)
{
    out += "Forwarded: ";
    if (append_believed(out, believed, "forwarded")) out += ", ";
    out += "for=";
    // RFC 7239 section 6: an IPv6 address is in brackets, which no token holds.
    if (asked.client.address.is_v6())
        out.append("\"[").append(address).append("]\"");
    else
        out += address;
    if (!asked.host.empty()) {
        out += ";host=";
        if (bytes::all_token(asked.host))
            out += asked.host;
        else
            append_quoted(out, asked.host);
    }
    if (!asked.scheme.empty()) out.append(";proto=").append(asked.scheme);
    out += "\r\n";
}

} // namespace

void append_forwarding(std::string& out, const Asked& asked, std::span<const Field> believed)
{
    const auto address = asked.client.address.text();
    out += "X-Forwarded-For: ";
    if (append_believed(out, believed, "x-forwarded-for")) out += ", ";
    out.append(address).append("\r\n");
    append_single(out, "X-Forwarded-Proto", asked.scheme, believed);
    append_single(out, "X-Forwarded-Host", asked.host, believed);
    char digits[5];
    const auto end = std::to_chars(digits, digits + sizeof digits, asked.port).ptr;
    const std::string_view port{digits, asked.port == 0 ? 0 : static_cast<std::size_t>(end - digits)};
    append_single(out, "X-Forwarded-Port", port, believed);
    append_forwarded(out, asked, address, believed);
}

} // namespace gw::http
