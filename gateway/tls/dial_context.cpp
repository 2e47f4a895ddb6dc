#include "gateway/tls/dial_context.h"

#include "gateway/tls/tls_stream.h"

#include <array>
#include <cstdlib>

namespace gw::tls {

namespace {

Error failed(std::string what) { return Error{Fault::system, Side::gateway, std::move(what), {}}; }

/// The system's CAs, read now and from one file where there is one: the look-up by hash in a directory would read files
/// in the middle of a handshake, and our process may have none left to read by then.
Result<> load_system_cas(SSL_CTX* context)
{
    const auto* from_environment = std::getenv(X509_get_default_cert_file_env());
    const std::array<const char*, 3> files{from_environment, X509_get_default_cert_file(),
                                           "/etc/ssl/certs/ca-certificates.crt"};
    for (const auto* file : files)
        if (file != nullptr && SSL_CTX_load_verify_file(context, file) == 1) return {};
    ERR_clear_error();
    if (SSL_CTX_set_default_verify_paths(context) == 1) return {};
    return failed("the system's CA certificates: " + take_error("cannot be read"));
}

int session_arrived(SSL* ssl, SSL_SESSION* session) noexcept
{
    auto* stream = static_cast<TlsStream*>(SSL_get_app_data(ssl));
    if (stream == nullptr) return 0;
    stream->keep_session(session);
    return 1;
}

} // namespace

SessionPtr SharedContext::session_for(const std::string& name) const
{
    const std::scoped_lock guard{lock_};
    const auto found = sessions_.find(name);
    if (found == sessions_.end() || SSL_SESSION_is_resumable(found->second.get()) == 0) return nullptr;
    SSL_SESSION_up_ref(found->second.get());
    return SessionPtr{found->second.get()};
}

void SharedContext::keep_session(const std::string& name, SessionPtr session) const
{
    const std::scoped_lock guard{lock_};
    if (sessions_.size() >= max_sessions && !sessions_.contains(name)) sessions_.erase(sessions_.begin());
    sessions_[name] = std::move(session);
}

Result<std::shared_ptr<const DialContext>> DialContext::make(const DialSettings& settings)
{
    ERR_clear_error();
    SslContextPtr context{SSL_CTX_new(TLS_client_method())};
    if (context == nullptr) return failed("TLS: " + take_error("cannot be set up"));
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context.get(), session_arrived);
    if (settings.verify && settings.ca_file.empty()) {
        if (const auto loaded = load_system_cas(context.get()); !loaded) return loaded.error();
    } else if (settings.verify && SSL_CTX_load_verify_file(context.get(), settings.ca_file.c_str()) != 1) {
        return failed("CA file " + settings.ca_file + ": " + take_error("cannot be read"));
    }
    ERR_clear_error();
    return std::shared_ptr<const DialContext>{
        std::make_shared<const SharedContext>(std::move(context), settings.verify)};
}

} // namespace gw::tls
