#include "gateway/tls/dial.h"

#include "gateway/tls/tls_stream.h"

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

} // namespace gw::tls
