#pragma once

#include "gateway/base/stream.h"
#include "tests/gateway/tls/certificates.h"

namespace gw::testing {

/// The accepting side of TLS over any stream, as simple as can be: what the stream under test speaks with.
class TlsUpstream {
public:
    struct Options {
        int version = 0;               ///< TLS1_2_VERSION, TLS1_3_VERSION; 0: both
        std::string alpn = "http/1.1"; ///< chosen if offered; empty: none
        SSL_CTX* context = nullptr;    ///< shared with others, for resumption; null: its own
    };
    TlsUpstream(std::unique_ptr<Stream> plain, const Identity& identity, Options options);
    ~TlsUpstream();

    /// All give false or nothing when the connection fails.
    Task<bool> accept();
    /// At least one byte; empty: the end or a failure, see `saw_close_notify`.
    Task<std::string> read();
    Task<bool> write(std::string_view bytes);
    Task<> end();                         ///< close_notify, and the end of the stream
    void cut() { plain_->end_writing(); } ///< the end of the stream without close_notify
    void close() { plain_->close(); }
    Stream& plain() { return *plain_; }

    bool saw_close_notify() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
    std::string server_name() const;
    std::string offered_alpn() const { return offered_alpn_; }
    bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
    std::string failure() const { return failure_; }
    SSL* openssl() { return ssl_.get(); }

    static tls::SslContextPtr make_context(const Identity& identity, int version);

private:
    static int choose(SSL* ssl, const unsigned char** chosen, unsigned char* length, const unsigned char* offered,
                      unsigned offered_length, void* self);
    /// Sends what OpenSSL made and, if `result` asks for it, receives. False: no use going on.
    Task<bool> move_bytes(int result);
    Task<bool> flush();

    std::unique_ptr<Stream> plain_;
    Options options_;
    tls::SslContextPtr own_context_;
    tls::SslPtr ssl_;
    std::string offered_alpn_;
    std::string failure_;
};

} // namespace gw::testing
