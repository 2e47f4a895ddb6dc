#include "gateway/ctl/url.h"

#include "gateway/http/message.h"
#include "gateway/http/path.h"
#include "gateway/http/url.h"

#include <algorithm>
#include <array>
#include <optional>

namespace gw::ctl {

namespace {

struct KnownScheme {
    std::string_view word;
    Url::Scheme scheme;
    std::uint16_t port; // 0: must be written
};
constexpr std::array known_schemes{
    KnownScheme{"http", Url::Scheme::http, 80}, KnownScheme{"https", Url::Scheme::https, 443},
    KnownScheme{"ws", Url::Scheme::http, 80},   KnownScheme{"wss", Url::Scheme::https, 443},
    KnownScheme{"tcp", Url::Scheme::tcp, 0},
};

Error wrong(std::string what) { return {Fault::malformed, Side::client, std::move(what)}; }

const KnownScheme* scheme_named(std::string_view word)
{
    const auto* found = std::find_if(known_schemes.begin(), known_schemes.end(),
                                     [&](const KnownScheme& known) { return http::same_name(known.word, word); });
    return found == known_schemes.end() ? nullptr : found;
}

/// What a person pastes may hold what no request line can.
std::optional<Error> forbidden_byte(std::string_view text)
{
    for (const char c : text) {
        if (c == ' ') return wrong("a URL holds no space; write %20");
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return wrong("a URL holds no control character");
        if (static_cast<unsigned char>(c) >= 0x80)
            return wrong("bytes over 127 must be percent-encoded, a host as xn--");
    }
    return std::nullopt;
}

} // namespace

std::string_view name_of(Url::Scheme scheme)
{
    switch (scheme) {
    case Url::Scheme::http: return "http";
    case Url::Scheme::https: return "https";
    case Url::Scheme::tcp: return "tcp";
    }
    return "";
}

std::string Url::text() const
{
    std::string into = std::string(name_of(scheme)) + "://";
    into += host.find(':') == std::string::npos ? host : '[' + host + ']';
    const bool own_port = (scheme == Scheme::http && port == 80) || (scheme == Scheme::https && port == 443);
    if (!own_port) into += ':' + std::to_string(port);
    if (scheme != Scheme::tcp) into += path + query;
    return into;
}

Result<Url> parse_url(std::string_view text)
{
    if (auto error = forbidden_byte(text)) return *error;
    const auto* known = &known_schemes[0];
    if (const auto mark = text.find("://"); mark != std::string_view::npos) {
        known = scheme_named(text.substr(0, mark));
        if (!known) return wrong("the scheme is none of http, https, ws, wss and tcp");
        text.remove_prefix(mark + 3);
    }
    text = text.substr(0, text.find('#'));
    const auto authority_end = std::min(text.find_first_of("/?"), text.size());
    const auto authority = http::parse_authority(text.substr(0, authority_end));
    if (!authority) return wrong(authority.error().what);

    Url url;
    url.scheme = known->scheme;
    url.port = authority->port != 0 ? authority->port : known->port;
    if (url.port == 0) return wrong("tcp needs a port: tcp://" + std::string(authority->host) + ":25");
    std::string scratch;
    url.host = http::normalise_host(authority->host, scratch);
    text.remove_prefix(authority_end);
    const auto query_start = std::min(text.find('?'), text.size());
    url.query = text.substr(query_start);
    const auto path = http::normalise_path(query_start == 0 ? "/" : text.substr(0, query_start), scratch);
    if (!path) return Error{Fault::denied, Side::client, "the gateway answers 400 to this path: " + path.error().what};
    url.path = *path;
    return url;
}

} // namespace gw::ctl
