#include "gateway/http/url.h"

#include "gateway/base/endpoint.h"
#include "gateway/http/bytes.h"

namespace gw::http {

namespace {

constexpr std::size_t max_host_bytes = 255;

Error malformed(const char* what) { return {Fault::malformed, Side::client, what}; }

/// The port behind ':', 1..65535 as everybody writes it; 0: not one.
std::uint16_t parse_port(std::string_view text)
{
    if (text.empty() || text.size() > 5 || text.front() == '0') return 0;
    unsigned port = 0;
    for (const char c : text) {
        if (!bytes::is_digit(c)) return 0;
        port = port * 10 + static_cast<unsigned>(c - '0');
    }
    return port <= 65535 ? static_cast<std::uint16_t>(port) : std::uint16_t{0};
}

bool is_registered_name(std::string_view name)
{
    char before = '.';
    for (const char c : name) {
        if (!bytes::is_host(c) || (c == '.' && before == '.')) return false;
        before = c;
    }
    return true;
}

bool is_bracketed_address(std::string_view inside)
{
    if (inside.find(':') == bytes::npos) return false;
    const auto address = Address::parse(inside);
    return address && address->is_v6();
}

} // namespace

Result<Authority> parse_authority(std::string_view text)
{
    if (text.empty()) return malformed("an empty authority");
    Authority authority;
    std::string_view rest;
    if (text.front() == '[') {
        const auto end = text.find(']');
        if (end == bytes::npos) return malformed("a bracket without its end");
        authority.host = text.substr(1, end - 1);
        rest = text.substr(end + 1);
        if (!is_bracketed_address(authority.host)) return malformed("no IPv6 address in brackets");
    } else {
        const auto colon = text.find(':');
        authority.host = text.substr(0, colon);
        rest = colon == bytes::npos ? std::string_view{} : text.substr(colon);
        if (authority.host.empty() || authority.host.size() > max_host_bytes)
            return malformed("no host, or a huge one");
        if (!is_registered_name(authority.host)) return malformed("a byte that no host holds");
    }
    if (rest.empty()) return authority;
    authority.port = rest.front() == ':' ? parse_port(rest.substr(1)) : std::uint16_t{0};
    if (authority.port == 0) return malformed("a bad port");
    return authority;
}

} // namespace gw::http
