#pragma once

#include "gateway/base/endpoint.h"

#include <string>
#include <string_view>
#include <vector>

namespace gw {

/// How the destination of a connection became known.
enum class Recovered {
    bound,        ///< the client dialled one of our own listeners; there is no other destination
    socket_name,  ///< TPROXY: the accepted socket's own name
    conntrack,    ///< REDIRECT, DNAT: SO_ORIGINAL_DST or IP6T_SO_ORIGINAL_DST
    proxy_header, ///< a PROXY header said so
    name,         ///< nobody knows its address: the name in the request decides
};
std::string_view name_of(Recovered recovered);

/// What is known of a connection before its first byte is looked at.
struct Flow {
    Endpoint client;      ///< who dialled
    Endpoint destination; ///< where the client was going
    Recovered recovered = Recovered::bound;
    std::string_view listener; ///< its name; owned by the generation

    bool intercepted() const { return recovered != Recovered::bound; }
    /// `destination` is where the client was going, and not merely where it came in.
    bool knows_destination() const { return intercepted() && recovered != Recovered::name; }
};

/// What the first bytes of a connection say.
struct Hello {
    enum class Kind {
        http1,        ///< something meant as HTTP/1 or older, well formed or not
        http2,        ///< the HTTP/2 preface in clear text
        tls,          ///< a whole ClientHello
        other,        ///< something else, or TLS that breaks the format
        server_first, ///< the upstream spoke before the client
        silent,       ///< neither side spoke in time
    };
    Kind kind = Kind::other;
    std::string server_name;             ///< TLS SNI, lower case; empty: none
    std::vector<std::string> alpn;       ///< TLS ALPN, in the client's order
    bool encrypted_client_hello = false; ///< an ECH extension is there: the name seen may be the outer one
};
std::string_view name_of(Hello::Kind kind);

} // namespace gw
