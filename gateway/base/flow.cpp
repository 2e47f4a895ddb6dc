#include "gateway/base/flow.h"

namespace gw {

std::string_view name_of(Recovered recovered)
{
    switch (recovered) {
    case Recovered::bound: return "bound";
    case Recovered::socket_name: return "socket_name";
    case Recovered::conntrack: return "conntrack";
    case Recovered::proxy_header: return "proxy_header";
    case Recovered::name: return "name";
    }
    return "bound";
}

std::string_view name_of(Hello::Kind kind)
{
    switch (kind) {
    case Hello::Kind::http1: return "http1";
    case Hello::Kind::http2: return "http2";
    case Hello::Kind::tls: return "tls";
    case Hello::Kind::other: return "other";
    case Hello::Kind::server_first: return "server_first";
    case Hello::Kind::silent: return "silent";
    }
    return "other";
}

} // namespace gw
