#include "tests/gateway/tls/upstream.h"

namespace gw::testing {

tls::SslContextPtr TlsUpstream::make_context(const Identity& identity, int version)
{
    tls::SslContextPtr context{SSL_CTX_new(TLS_server_method())};
    SSL_CTX_use_certificate(context.get(), identity.certificate.get());
    SSL_CTX_use_PrivateKey(context.get(), identity.key.get());
    if (version != 0) SSL_CTX_set_min_proto_version(context.get(), version);
    if (version != 0) SSL_CTX_set_max_proto_version(context.get(), version);
    SSL_CTX_set_session_id_context(context.get(), reinterpret_cast<const unsigned char*>("test"), 4);
    return context;
}

TlsUpstream::TlsUpstream(std::unique_ptr<Stream> plain, const Identity& identity, Options options)
    : plain_(std::move(plain)), options_(std::move(options))
{
    if (options_.context == nullptr) {
        own_context_ = make_context(identity, options_.version);
        options_.context = own_context_.get();
    }
    SSL_CTX_set_alpn_select_cb(options_.context, choose, nullptr);
    ssl_.reset(SSL_new(options_.context));
    SSL_set_app_data(ssl_.get(), this);
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(ssl_.get());
}

TlsUpstream::~TlsUpstream() { SSL_set_shutdown(ssl_.get(), SSL_get_shutdown(ssl_.get()) | SSL_SENT_SHUTDOWN); }

int TlsUpstream::choose(SSL* ssl, const unsigned char** chosen, unsigned char* length, const unsigned char* offered,
                        unsigned offered_length, void*)
{
    auto& self = *static_cast<TlsUpstream*>(SSL_get_app_data(ssl));
    self.offered_alpn_.assign(reinterpret_cast<const char*>(offered), offered_length);
    if (self.options_.alpn.empty()) return SSL_TLSEXT_ERR_NOACK;
    *chosen = reinterpret_cast<const unsigned char*>(self.options_.alpn.data());
    *length = static_cast<unsigned char>(self.options_.alpn.size());
    return SSL_TLSEXT_ERR_OK;
}

Task<bool> TlsUpstream::flush()
{
    char* data = nullptr;
    auto* bio = SSL_get_wbio(ssl_.get());
    const auto length = BIO_get_mem_data(bio, &data);
    const std::string bytes(data, static_cast<std::size_t>(length));
    (void)BIO_reset(bio);
    const auto sent = co_await write_all(*plain_, asio::buffer(bytes));
    co_return sent.has_value();
}

Task<bool> TlsUpstream::move_bytes(int result)
{
    const auto reason = SSL_get_error(ssl_.get(), result);
    const bool wants_more = reason == SSL_ERROR_WANT_READ;
    if (!wants_more && reason != SSL_ERROR_NONE) failure_ = tls::take_error("");
    const auto sent = co_await flush();
    if (!sent || !wants_more) co_return false;
    std::string bytes(17'000, '\0');
    const auto count = co_await plain_->read_some(asio::buffer(bytes));
    if (!count || *count == 0) co_return false;
    BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(*count));
    co_return true;
}

Task<bool> TlsUpstream::accept()
{
    for (;;) {
        ERR_clear_error();
        const auto done = SSL_do_handshake(ssl_.get());
        const auto more = co_await move_bytes(done);
        if (done == 1) co_return true;
        if (!more) co_return false;
    }
}

Task<std::string> TlsUpstream::read()
{
    for (;;) {
        std::string bytes(16'384, '\0');
        ERR_clear_error();
        const auto count = SSL_read(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
        if (count > 0) {
            bytes.resize(static_cast<std::size_t>(count));
            co_return bytes;
        }
        const auto more = co_await move_bytes(count);
        if (!more) co_return std::string{};
    }
}

Task<bool> TlsUpstream::write(std::string_view bytes)
{
    ERR_clear_error();
    if (SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) <= 0) co_return false;
    co_return co_await flush();
}

Task<> TlsUpstream::end()
{
    SSL_shutdown(ssl_.get());
    const auto sent = co_await flush();
    (void)sent;
    plain_->end_writing();
}

std::string TlsUpstream::server_name() const
{
    const auto* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
    return name == nullptr ? std::string{} : std::string{name};
}

} // namespace gw::testing
