#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/http/message.h"

#include <span>
#include <string>
#include <string_view>

namespace gw::http {

/// What the gateway knows itself of who asked, and where.
struct Asked {
    Endpoint client;         ///< of the connection, or as a believed PROXY header said
    std::string_view scheme; ///< "http" or "https", as the client spoke to us
    std::string_view host;   ///< the authority as the client wrote it; empty: none
    std::uint16_t port = 0;  ///< the client dialled it
};

/// Appends X-Forwarded-For, -Proto, -Host, -Port and Forwarded, each a whole line. `believed` are the fields of a
/// request whose sender is a trusted proxy, else empty: then its X-Forwarded-For and Forwarded lists go before ours,
/// and its X-Forwarded-Proto, -Host and -Port stay as they are.
void append_forwarding(std::string& out, const Asked& asked, std::span<const Field> believed = {});

} // namespace gw::http
