#pragma once

#include <memory>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string>

namespace gw::tls {

template <auto Free> struct FreedBy {
    template <class T> void operator()(T* p) const noexcept { Free(p); }
};
using SslPtr = std::unique_ptr<SSL, FreedBy<SSL_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, FreedBy<SSL_CTX_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, FreedBy<SSL_SESSION_free>>;
using BioMethodPtr = std::unique_ptr<BIO_METHOD, FreedBy<BIO_meth_free>>;

/// Takes everything out of this thread's error queue, so that it cannot be taken for the next call's, and gives the
/// text of the last, which is nearest to the reason. `fallback` when there is none.
std::string take_error(const char* fallback);

/// Why OpenSSL did not accept the certificate that `store` stands at: what it is for, whose it is, since when.
/// `name` is what it should have been for. What the certificate says is made printable.
std::string describe_refusal(X509_STORE_CTX* store, const std::string& name);

} // namespace gw::tls
