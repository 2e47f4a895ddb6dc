#pragma once

#include "gateway/base/stream.h"
#include "gateway/tls/settings.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace gw::tls {

/// What many dials share: the loaded CAs and the session cache. Immutable for those who read it; one per generation.
class DialContext {
public:
    /// Errors: `system`, when the CA file cannot be read or holds no certificate.
    static Result<std::shared_ptr<const DialContext>> make(const DialSettings& settings);
    virtual ~DialContext() = default;
};

/// TLS 1.2 or 1.3 as a client over `plain`, ALPN http/1.1. `name` goes into SNI (unless it is an address) and is what
/// the certificate must be for. The returned stream owns `plain`; its deadline bounds the handshake too: set it first.
/// Errors: `refused`, side upstream, when the handshake fails: `what` says why (name, expiry, issuer); of the stream.
Task<Result<std::unique_ptr<Stream>>> dial(std::unique_ptr<Stream> plain, std::string name,
                                           std::shared_ptr<const DialContext> context);

/// When the certificate that the upstream showed ends; none when `stream` is not one that `dial` made.
std::optional<std::chrono::system_clock::time_point> certificate_end(const Stream& stream);

} // namespace gw::tls
