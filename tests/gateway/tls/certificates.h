#pragma once

#include "gateway/tls/openssl.h"

#include <string>
#include <vector>

namespace gw::testing {

using CertificatePtr = std::unique_ptr<X509, tls::FreedBy<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, tls::FreedBy<EVP_PKEY_free>>;

/// A certificate and its key, made on the spot.
struct Identity {
    CertificatePtr certificate;
    KeyPtr key;
};

struct Wish {
    std::string common_name{};
    std::string alternative_names{}; ///< as OpenSSL writes them: "DNS:a.example,IP:192.0.2.1"
    int valid_from_days = -1;        ///< from today
    int valid_to_days = 30;
    bool is_ca = false;
};

/// Signed by `issuer`; null: by itself.
Identity make_identity(const Wish& wish, const Identity* issuer = nullptr);

/// A file with the certificate in PEM, gone with this.
class PemFile {
public:
    explicit PemFile(const std::string& text);
    explicit PemFile(const Identity& identity);
    ~PemFile();
    PemFile(const PemFile&) = delete;
    PemFile& operator=(const PemFile&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

} // namespace gw::testing
