#include "gateway/tls/tls_stream.h"

#include "gateway/base/endpoint.h"
#include "gateway/tls/buffers_bio.h"

#include <algorithm>
#include <array>
#include <sys/socket.h>
#include <utility>

namespace gw::tls {

namespace {

constexpr std::size_t record_bytes = 16 * 1024;
constexpr std::size_t record_overhead_bytes = 512; // header, nonce, tag, padding: all versions and ciphers
constexpr std::size_t max_received_bytes = 4 * (record_bytes + record_overhead_bytes);
constexpr std::size_t max_produced_bytes = 4 * (record_bytes + record_overhead_bytes);

// RFC 7301 section 3.1: a list of names, each after its length.
constexpr std::array<unsigned char, 9> http1_only{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

int certificate_looked_at(int accepted, X509_STORE_CTX* store) noexcept
{
    if (accepted == 1) return 1;
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    static_cast<TlsStream*>(SSL_get_app_data(ssl))->keep_refusal(store);
    return 0;
}

/// Where in a sequence of buffers the next record begins.
struct Place {
    std::size_t buffer = 0;
    std::size_t offset = 0;
};

/// The next bytes of the sequence, at most a record's worth: where they lie, or gathered when they are in pieces. Valid
/// until the next call of this thread.
std::string_view next_record(std::span<const asio::const_buffer> from, Place& place)
{
    thread_local std::array<char, record_bytes> gathered;
    std::size_t count = 0;
    while (place.buffer < from.size() && count < record_bytes) {
        const auto piece = from[place.buffer] + place.offset;
        const auto size = std::min(piece.size(), record_bytes - count);
        const auto* data = static_cast<const char*>(piece.data());
        place.offset += size;
        if (size == piece.size()) ++place.buffer, place.offset = 0;
        if (count == 0 && (size == record_bytes || place.buffer == from.size())) return {data, size};
        std::copy_n(data, size, gathered.data() + count);
        count += size;
    }
    return {gathered.data(), count};
}

Error refused(std::string what) { return Error{Fault::refused, Side::upstream, "TLS: " + std::move(what), {}}; }

} // namespace

TlsStream::TlsStream(std::unique_ptr<Stream> plain, std::string name, std::shared_ptr<const SharedContext> context)
    : plain_(std::move(plain)), name_(std::move(name)), context_(std::move(context)), received_(max_received_bytes)
{}

TlsStream::~TlsStream()
{
    if (ssl_ == nullptr) return;
    // Without this OpenSSL would take a connection that nobody bothered to shut down for a reason not to resume it.
    if (!failed_) SSL_set_shutdown(ssl_.get(), SSL_get_shutdown(ssl_.get()) | SSL_SENT_SHUTDOWN);
    SSL_set_app_data(ssl_.get(), nullptr);
}

void TlsStream::keep_session(SSL_SESSION* session) noexcept { context_->keep_session(name_, SessionPtr{session}); }

void TlsStream::keep_refusal(X509_STORE_CTX* store)
{
    if (refusal_.empty()) refusal_ = describe_refusal(store, name_);
}

bool TlsStream::produce(std::string_view bytes)
{
    if (produced_.size() + bytes.size() > max_produced_bytes) return false;
    produced_.append(bytes);
    return true;
}

Result<> TlsStream::prepare()
{
    ERR_clear_error();
    if (!name_.empty() && name_.back() == '.') name_.pop_back();
    if (name_.empty() && context_->verify()) return refused("there is no name to check the certificate against");
    ssl_.reset(SSL_new(context_->openssl()));
    auto* bio = ssl_ == nullptr ? nullptr : make_buffers_bio(*this);
    if (bio == nullptr) return Error{Fault::system, Side::gateway, "TLS: " + take_error("cannot be set up"), {}};
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_app_data(ssl_.get(), this);
    SSL_set_connect_state(ssl_.get());
    SSL_set_alpn_protos(ssl_.get(), http1_only.data(), http1_only.size());

    const bool is_address = Address::parse(name_).has_value();
    // RFC 6066 section 3: literal addresses are not permitted in SNI.
    if (!is_address && !name_.empty() && SSL_set_tlsext_host_name(ssl_.get(), name_.c_str()) != 1)
        return refused("\"" + name_.substr(0, 64) + "\" cannot be asked for: " + take_error("too long"));
    SSL_set_verify(ssl_.get(), context_->verify() ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, certificate_looked_at);
    if (context_->verify()) {
        auto* rules = SSL_get0_param(ssl_.get());
        X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        const auto set = is_address ? X509_VERIFY_PARAM_set1_ip_asc(rules, name_.c_str())
                                    : X509_VERIFY_PARAM_set1_host(rules, name_.data(), name_.size());
        if (set != 1) return refused("no certificate can be for that name: " + take_error("malformed"));
    }
    if (const auto session = context_->session_for(name_)) SSL_set_session(ssl_.get(), session.get());
    return {};
}

Error TlsStream::handshake_error()
{
    failed_ = true;
    if (!refusal_.empty()) {
        ERR_clear_error();
        return refused(refusal_);
    }
    const auto code = ERR_peek_last_error();
    const auto reason = ERR_GET_REASON(code);
    const bool not_tls =
        ERR_GET_LIB(code) == ERR_LIB_SSL &&
        (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST);
    const auto text = take_error("handshake failed");
    return refused(not_tls ? "what listens there does not speak TLS (" + text + ")" : text);
}

Task<Result<std::size_t>> TlsStream::receive(std::size_t want_bytes)
{
    const auto into = received_.prepare(want_bytes);
    if (into.size() == 0)
        co_return Error{Fault::too_large, Side::upstream, "TLS: a record larger than there may be", {}};
    const auto outcome = co_await plain_->read_some(into);
    if (outcome) received_.commit(*outcome);
    co_return outcome;
}

Task<Result<>> TlsStream::send_produced()
{
    while (!produced_.empty()) {
        sending_.swap(produced_);
        is_sending_ = true;
        const asio::const_buffer bytes{sending_.data(), sending_.size()};
        const auto sent = co_await write_all(*plain_, bytes);
        is_sending_ = false;
        sending_.clear();
        if (!sent) co_return sent.error();
    }
    co_return Result<>{};
}

Task<Result<>> TlsStream::shake_hands()
{
    if (const auto ready = prepare(); !ready) co_return ready.error();
    for (;;) {
        ERR_clear_error();
        const auto done = SSL_do_handshake(ssl_.get());
        const auto state = SSL_get_error(ssl_.get(), done);
        if (done != 1 && state != SSL_ERROR_WANT_READ && state != SSL_ERROR_WANT_WRITE) {
            auto failure = handshake_error();
            // The alert that tells the upstream why; whether it arrives changes nothing.
            const auto ignored = co_await send_produced();
            (void)ignored;
            co_return failure;
        }
        const auto sent = co_await send_produced();
        if (!sent) co_return sent.error();
        if (done == 1) break;
        if (state == SSL_ERROR_WANT_WRITE) continue;
        const auto count = co_await receive(record_bytes);
        if (!count) co_return count.error();
        if (*count == 0) co_return refused("the upstream ended the connection during the handshake");
    }
    const unsigned char* chosen = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(ssl_.get(), &chosen, &length);
    const std::string_view protocol{reinterpret_cast<const char*>(chosen), length};
    if (!protocol.empty() && protocol != "http/1.1")
        co_return refused("the upstream chose a protocol that was not offered");
    co_return Result<>{};
}

Error TlsStream::read_error(int reason)
{
    failed_ = true;
    if (reason == SSL_ERROR_SYSCALL) return Error{Fault::closed, Side::upstream, "TLS: " + take_error("ended"), {}};
    return Error{Fault::malformed, Side::upstream, "TLS: " + take_error("broken record"), {}};
}

Result<std::size_t> TlsStream::decrypt(asio::mutable_buffer into)
{
    auto* data = static_cast<char*>(into.data());
    std::size_t total = 0;
    // A call gives one record at most; small ones are gathered.
    while (total < into.size()) {
        std::size_t count = 0;
        ERR_clear_error();
        const auto done = SSL_read_ex(ssl_.get(), data + total, into.size() - total, &count);
        total += count;
        if (done == 1) continue;
        const auto reason = SSL_get_error(ssl_.get(), done);
        if (reason == SSL_ERROR_WANT_READ || total > 0) break;
        if (reason != SSL_ERROR_ZERO_RETURN) return read_error(reason);
        ended_ = true;
        break;
    }
    return total;
}

Task<Result<std::size_t>> TlsStream::read_some(asio::mutable_buffer into)
{
    for (;;) {
        if (closed_) co_return Error{Fault::closed, Side::upstream, "TLS: closed", {}};
        if (must_send_end_ && !is_sending_) {
            must_send_end_ = false;
            const auto sent = co_await send_produced();
            if (sent) plain_->end_writing();
        }
        if (ended_) co_return std::size_t{0};
        if (failed_) co_return Error{Fault::closed, Side::upstream, "TLS: failed before", {}};
        auto got = decrypt(into);
        if (!got || *got > 0 || ended_) co_return got;
        const auto count = co_await receive(std::max(into.size(), record_bytes) + record_overhead_bytes);
        // `end_writing` woke us, and there is something to send now.
        if (!count && must_send_end_ && !closed_) continue;
        if (!count) co_return count.error();
        if (*count > 0) continue;
        failed_ = true;
        co_return Error{Fault::closed, Side::upstream, "TLS: ended without close_notify, so it may be cut short", {}};
    }
}

Result<std::size_t> TlsStream::encrypt(std::span<const asio::const_buffer> from)
{
    std::size_t total = 0;
    Place place;
    while (produced_.size() + record_bytes + record_overhead_bytes <= max_produced_bytes) {
        const auto record = next_record(from, place);
        if (record.empty()) break;
        std::size_t count = 0;
        ERR_clear_error();
        // There is room for the whole record, so it is taken whole or the connection is beyond use.
        if (SSL_write_ex(ssl_.get(), record.data(), record.size(), &count) != 1 || count != record.size()) {
            failed_ = true;
            return Error{Fault::closed, Side::upstream, "TLS: " + take_error("cannot be written to"), {}};
        }
        total += count;
    }
    return total;
}

Task<Result<std::size_t>> TlsStream::write_some(std::span<const asio::const_buffer> from)
{
    if (asio::buffer_size(from) == 0) co_return std::size_t{0};
    for (;;) {
        if (closed_ || failed_ || write_ended_) co_return Error{Fault::closed, Side::upstream, "TLS: closed", {}};
        auto taken = encrypt(from);
        if (!taken) co_return taken;
        const auto sent = co_await send_produced();
        if (!sent) co_return sent.error();
        if (*taken > 0) co_return taken;
    }
}

/// Nothing is under way in it, and nothing has ended.
bool TlsStream::is_idle() const
{
    return ssl_ != nullptr && received_.empty() && SSL_has_pending(ssl_.get()) == 0 && !is_sending_ &&
           !must_send_end_ && !write_ended_ && !ended_ && !failed_ && !closed_;
}

bool TlsStream::is_quiet() noexcept
{
    const auto socket = plain_->plain_socket();
    if (socket < 0) return true; // not known without waiting
    while (is_idle() && !plain_->is_quiet()) {
        const auto into = received_.prepare(record_bytes);
        const auto count = ::recv(socket, into.data(), into.size(), MSG_DONTWAIT);
        if (count <= 0) return false;
        received_.commit(static_cast<std::size_t>(count));
        char byte{};
        std::size_t peeked = 0;
        ERR_clear_error();
        const auto done = SSL_peek_ex(ssl_.get(), &byte, 1, &peeked);
        const bool nothing = done != 1 && SSL_get_error(ssl_.get(), done) == SSL_ERROR_WANT_READ;
        ERR_clear_error();
        if (!nothing) return false;
    }
    return is_idle();
}

std::unique_ptr<Stream> TlsStream::move_to(DeadlineWheel& wheel)
{
    if (!is_idle()) return nullptr;
    auto plain = plain_->move_to(wheel);
    if (plain == nullptr) return nullptr;
    auto moved = std::make_unique<TlsStream>(std::move(plain), std::move(name_), context_);
    moved->ssl_ = std::move(ssl_);
    moved->produced_ = std::move(produced_);
    SSL_set_app_data(moved->ssl_.get(), moved.get());
    set_buffers(SSL_get_rbio(moved->ssl_.get()), *moved);
    closed_ = true;
    return moved;
}

bool TlsStream::send_end_now() noexcept
{
    const auto socket = plain_->plain_socket();
    if (socket < 0 || is_sending_) return false;
    // A full socket buffer loses it: then the upstream is told by the FIN alone.
    (void)::send(socket, produced_.data(), produced_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    produced_.clear();
    return true;
}

void TlsStream::end_writing() noexcept
{
    if (closed_ || failed_ || std::exchange(write_ended_, true)) return;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
    if (send_end_now()) return plain_->end_writing();
    // No socket of its own: the reader sends it. Should it be waiting, it is woken.
    must_send_end_ = true;
    plain_->cancel();
}

void TlsStream::close(bool reset) noexcept
{
    if (std::exchange(closed_, true)) return;
    if (!reset && !failed_ && !write_ended_ && ssl_ != nullptr) {
        ERR_clear_error();
        SSL_shutdown(ssl_.get());
        ERR_clear_error();
        send_end_now();
    }
    plain_->close(reset);
}

} // namespace gw::tls
