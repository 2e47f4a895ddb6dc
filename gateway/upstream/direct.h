#pragma once

#include "gateway/base/socket_stream.h"
#include "gateway/tls/dial.h"
#include "gateway/upstream/dialer.h"
#include "gateway/upstream/idle_pool.h"
#include "gateway/upstream/resolver.h"
#include "gateway/upstream/settings.h"

#include <boost/asio/io_context.hpp>

namespace gw::upstream {

/// Straight to the address, from the worker that asks: resolves, checks the guard, connects (as the client where the
/// target says so), speaks TLS where the target says so, and keeps what is given back. What it has not kept itself it
/// takes over from another worker that has. One a worker.
class DirectDialer final : public Dialer {
public:
    DirectDialer(asio::io_context& io, DeadlineWheel& wheel, const Settings& settings,
                 std::shared_ptr<const Guard> guard, std::shared_ptr<const tls::DialContext> tls, IdleShare& share,
                 std::size_t worker);

    Task<Result<ConnectionPtr>> dial(Target target, bool fresh) override;
    /// The same, with less time than the settings give.
    Task<Result<ConnectionPtr>> dial_until(Target target, bool fresh, std::chrono::steady_clock::time_point until);
    void give_back(ConnectionPtr connection) override;

    /// Of the next generation. Connections that are kept stay, for as long as the new settings say.
    void renew(const Settings& settings, std::shared_ptr<const Guard> guard,
               std::shared_ptr<const tls::DialContext> tls);
    void close_idle() { idle_.clear(); }
    std::size_t idle_count() const { return idle_.size(); }
    std::uint64_t taken_over() const { return idle_.taken_over(); }

private:
    using Time = std::chrono::steady_clock::time_point;
    Task<Result<ConnectionPtr>> connect_any(Target target, Time until);
    Task<Result<ConnectionPtr>> connect_one(const Target& target, Endpoint to, Time until);
    struct Connected {
        std::unique_ptr<SocketStream> stream;
        Source source;
        std::string_view fallback;
    };
    Task<Result<Connected>> connect_socket(const Target& target, const Endpoint& to, Time until);
    Task<Result<boost::system::error_code>> connect_until(SocketStream& stream, const Endpoint& to, NamedBy named_by,
                                                          Time until);

    DeadlineWheel& wheel_;
    Settings settings_;
    std::shared_ptr<const Guard> guard_;
    std::shared_ptr<const tls::DialContext> tls_;
    Resolver resolver_;
    IdlePool idle_;
};

} // namespace gw::upstream
