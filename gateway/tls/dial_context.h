#pragma once

#include "gateway/tls/dial.h"
#include "gateway/tls/openssl.h"

#include <mutex>
#include <unordered_map>

namespace gw::tls {

/// The only kind of DialContext there is. Read by many threads; what changes, the sessions, is behind a lock that is
/// held for a look-up only.
class SharedContext final : public DialContext {
public:
    static constexpr std::size_t max_sessions = 1'024;

    SharedContext(SslContextPtr context, bool verify) : context_(std::move(context)), verify_(verify) {}

    SSL_CTX* openssl() const { return context_.get(); }
    bool verify() const { return verify_; }
    /// The session of the last dial to that name; null: none.
    SessionPtr session_for(const std::string& name) const;
    void keep_session(const std::string& name, SessionPtr session) const;

private:
    SslContextPtr context_;
    bool verify_;
    mutable std::mutex lock_;
    mutable std::unordered_map<std::string, SessionPtr> sessions_;
};

} // namespace gw::tls
