#include "gateway/tls/dial.h"

#include "gateway/tls/tls_stream.h"

#include <ctime>

namespace gw::tls {

Task<Result<std::unique_ptr<Stream>>> dial(std::unique_ptr<Stream> plain, std::string name,
                                           std::shared_ptr<const DialContext> context)
{
    auto shared = std::static_pointer_cast<const SharedContext>(std::move(context));
    auto stream = std::make_unique<TlsStream>(std::move(plain), std::move(name), std::move(shared));
    const auto shaken = co_await stream->shake_hands();
    if (!shaken) {
        stream->close();
        co_return shaken.error();
    }
    co_return std::unique_ptr<Stream>{std::move(stream)};
}

std::optional<std::chrono::system_clock::time_point> certificate_end(const Stream& stream)
{
    const auto* opened = dynamic_cast<const TlsStream*>(&stream);
    const auto* certificate = opened == nullptr ? nullptr : SSL_get0_peer_certificate(opened->openssl());
    std::tm end{};
    if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) return std::nullopt;
    return std::chrono::system_clock::from_time_t(::timegm(&end));
}

} // namespace gw::tls
