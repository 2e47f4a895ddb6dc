#include "tests/gateway/tls/certificates.h"

#include <atomic>
#include <cassert>
#include <cstdlib>
#include <fstream>
#include <openssl/pem.h>
#include <unistd.h>

namespace gw::testing {

namespace {

void add_extension(X509* certificate, X509* issuer, int what, const std::string& value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    auto* extension = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
    assert(extension != nullptr);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

std::string unique_path()
{
    std::string path = "/tmp/gateway-tls-test-XXXXXX";
    const auto file = ::mkstemp(path.data());
    assert(file >= 0);
    ::close(file);
    return path;
}

} // namespace

Identity make_identity(const Wish& wish, const Identity* issuer)
{
    static std::atomic<long> serial = 1;
    Identity made{CertificatePtr{X509_new()}, KeyPtr{EVP_EC_gen("P-256")}};
    auto* certificate = made.certificate.get();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    constexpr long day = 24 * 3600;
    X509_gmtime_adj(X509_getm_notBefore(certificate), wish.valid_from_days * day);
    X509_gmtime_adj(X509_getm_notAfter(certificate), wish.valid_to_days * day);
    X509_set_pubkey(certificate, made.key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(wish.common_name.c_str()), -1, -1, 0);
    auto* by = issuer == nullptr ? certificate : issuer->certificate.get();
    X509_set_issuer_name(certificate, X509_get_subject_name(by));
    if (wish.is_ca) add_extension(certificate, by, NID_basic_constraints, "critical,CA:TRUE");
    if (!wish.alternative_names.empty()) add_extension(certificate, by, NID_subject_alt_name, wish.alternative_names);
    X509_sign(certificate, issuer == nullptr ? made.key.get() : issuer->key.get(), EVP_sha256());
    return made;
}

PemFile::PemFile(const std::string& text) : path_(unique_path()) { std::ofstream{path_} << text; }

PemFile::PemFile(const Identity& identity) : path_(unique_path())
{
    auto* file = std::fopen(path_.c_str(), "w");
    assert(file != nullptr);
    PEM_write_X509(file, identity.certificate.get());
    std::fclose(file);
}

PemFile::~PemFile() { ::unlink(path_.c_str()); }

} // namespace gw::testing
