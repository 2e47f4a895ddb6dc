#include "gateway/base/endpoint.h"
#include "gateway/base/log.h"
#include "gateway/tls/openssl.h"

#include <array>

namespace gw::tls {

namespace {

using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, FreedBy<GENERAL_NAMES_free>>;
using BioPtr = std::unique_ptr<BIO, FreedBy<BIO_free_all>>;

constexpr int max_names_shown = 8;

std::string shown(std::string_view text)
{
    std::string safe = "\"";
    log::append_plain(safe, text.substr(0, 255));
    return safe + '"';
}

std::string_view bytes_of(const ASN1_STRING* text)
{
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
            static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string address_text(std::string_view bytes)
{
    if (bytes.size() == 4) {
        std::array<std::uint8_t, 4> v4{};
        std::copy(bytes.begin(), bytes.end(), v4.begin());
        return Address::v4(v4).text();
    }
    std::array<std::uint8_t, 16> v6{};
    std::copy_n(bytes.begin(), std::min(bytes.size(), v6.size()), v6.begin());
    return Address::v6(v6).text();
}

std::string common_name(const X509_NAME* name)
{
    const auto at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0) {
        char line[256];
        return shown(X509_NAME_oneline(name, line, sizeof line) == nullptr ? "" : line);
    }
    return shown(bytes_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))));
}

/// The names it is for: the alternative names, or, when it has none, the subject.
std::string names_of(const X509* certificate)
{
    const GeneralNamesPtr names{
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
    std::string text;
    const auto count = names == nullptr ? 0 : sk_GENERAL_NAME_num(names.get());
    for (int at = 0; at < count; ++at) {
        if (at == max_names_shown) return text + " and " + std::to_string(count - at) + " more";
        const auto* name = sk_GENERAL_NAME_value(names.get(), at);
        if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
        if (!text.empty()) text += ", ";
        text +=
            name->type == GEN_DNS ? shown(bytes_of(name->d.dNSName)) : shown(address_text(bytes_of(name->d.iPAddress)));
    }
    return text.empty() ? common_name(X509_get_subject_name(certificate)) : text;
}

std::string time_text(const ASN1_TIME* time)
{
    const BioPtr memory{BIO_new(BIO_s_mem())};
    ASN1_TIME_print(memory.get(), time);
    char* data = nullptr;
    const auto length = BIO_get_mem_data(memory.get(), &data);
    return {data, static_cast<std::size_t>(length)};
}

} // namespace

std::string take_error(const char* fallback)
{
    std::string text;
    while (const auto code = ERR_get_error()) {
        const auto* reason = ERR_reason_error_string(code);
        if (reason != nullptr) text = reason;
    }
    return text.empty() ? std::string{fallback} : text;
}

std::string describe_refusal(X509_STORE_CTX* store, const std::string& name)
{
    const auto code = X509_STORE_CTX_get_error(store);
    const auto* certificate = X509_STORE_CTX_get_current_cert(store);
    if (certificate == nullptr)
        return std::string{"certificate of "} + shown(name) + ": " + X509_verify_cert_error_string(code);
    const auto whose = X509_STORE_CTX_get_error_depth(store) == 0
                           ? "certificate for " + names_of(certificate)
                           : "issuer " + common_name(X509_get_subject_name(certificate));
    const auto asked = ", asked for " + shown(name);
    switch (code) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return whose + " is not for " + shown(name);
    case X509_V_ERR_CERT_HAS_EXPIRED: return whose + " expired " + time_text(X509_get0_notAfter(certificate)) + asked;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return whose + " is not valid before " + time_text(X509_get0_notBefore(certificate)) + asked;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return whose + " is self-signed and not trusted" + asked;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: return whose + " is a self-signed root that is not trusted" + asked;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return whose + " is from " + common_name(X509_get_issuer_name(certificate)) + ", which is not trusted" + asked;
    default: return whose + ": " + X509_verify_cert_error_string(code) + asked;
    }
}

} // namespace gw::tls
