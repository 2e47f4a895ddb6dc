#pragma once

#include "gateway/base/buffer.h"
#include "gateway/tls/dial_context.h"

namespace gw::tls {

/// TLS over another stream, as a client. OpenSSL never sees that stream: it reads from `received_` and writes into
/// `produced_`, both bounded, and the coroutines here carry bytes between them and the inner stream.
///
/// One reader and one writer at a time, as for every Stream. Only the writer sends (and the reader what `end_writing`
/// could not), so the two never write at once: all that OpenSSL produces while reading (alerts, answers to key updates)
/// need not leave before the next data does.
class TlsStream final : public Stream {
public:
    TlsStream(std::unique_ptr<Stream> plain, std::string name, std::shared_ptr<const SharedContext> context);
    ~TlsStream() override;
    TlsStream(const TlsStream&) = delete;
    TlsStream& operator=(const TlsStream&) = delete;

    /// Errors: `refused` with the reason, side upstream; of the inner stream.
    Task<Result<>> shake_hands();
    const SSL* openssl() const { return ssl_.get(); }

    Task<Result<std::size_t>> read_some(asio::mutable_buffer into) override;
    Task<Result<std::size_t>> write_some(std::span<const asio::const_buffer> from) override;
    void end_writing() noexcept override;
    void close(bool reset = false) noexcept override;
    void expire_at(std::chrono::steady_clock::time_point at) override { plain_->expire_at(at); }
    /// Reads what has come, for it may be a session ticket, which is nobody's answer.
    bool is_quiet() noexcept override;
    std::unique_ptr<Stream> move_to(DeadlineWheel& wheel) override;

    /// For OpenSSL's callbacks.
    void keep_session(SSL_SESSION* session) noexcept;
    void keep_refusal(X509_STORE_CTX* store);
    Buffer& received() { return received_; }
    /// False: so much waits to be sent that this must wait too.
    bool produce(std::string_view bytes);

private:
    Result<> prepare();
    bool is_idle() const;
    Error handshake_error();
    Error read_error(int reason);
    /// Decrypts what is there into `into`. 0: more must be received first.
    Result<std::size_t> decrypt(asio::mutable_buffer into);
    /// Encrypts at most so much that it fits; says how much that was.
    Result<std::size_t> encrypt(std::span<const asio::const_buffer> from);
    Task<Result<std::size_t>> receive(std::size_t want_bytes);
    Task<Result<>> send_produced();
    /// Without waiting. False: there is no socket to do so, or a write is under way.
    bool send_end_now() noexcept;

    std::unique_ptr<Stream> plain_;
    std::string name_;
    std::shared_ptr<const SharedContext> context_;
    SslPtr ssl_;
    Buffer received_;      ///< records from the upstream, not decrypted yet
    std::string produced_; ///< records for the upstream
    std::string sending_;  ///< those that are being written: OpenSSL may add to `produced_` meanwhile
    std::string refusal_;  ///< why the certificate was not accepted
    bool is_sending_ = false;
    bool must_send_end_ = false; ///< `end_writing` could not, the reader will
    bool write_ended_ = false;   ///< ours was made
    bool ended_ = false;         ///< close_notify came
    bool failed_ = false;        ///< the TLS connection is beyond use
    bool closed_ = false;
};

} // namespace gw::tls
