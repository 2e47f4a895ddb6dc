#include "gateway/upstream/direct.h"

#include "gateway/base/descriptor.h"

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#ifndef IPV6_TRANSPARENT
#define IPV6_TRANSPARENT 75
#endif

namespace gw::upstream {

namespace {

bool set(int socket, int level, int option, int value)
{
    return ::setsockopt(socket, level, option, &value, sizeof value) == 0;
}

/// Gives the socket the client's address and leaves the port to connect: with a port chosen here, one client could have
/// only as many connections as there are free ports, whatever their destinations.
bool bind_as(int socket, const Address& source)
{
    const bool transparent =
        source.is_v6() ? set(socket, SOL_IPV6, IPV6_TRANSPARENT, 1) : set(socket, SOL_IP, IP_TRANSPARENT, 1);
    if (!transparent) return false;
    set(socket, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    sockaddr_storage name{};
    const auto length = to_sockaddr({source, 0}, name);
    return ::bind(socket, reinterpret_cast<const sockaddr*>(&name), length) == 0;
}

Error connect_error(const Endpoint& to, boost::system::error_code failed)
{
    const auto what = "connect " + to.text();
    switch (failed.value()) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ECONNRESET: return Error{Fault::refused, Side::upstream, what, failed};
    case ETIMEDOUT: return Error{Fault::timed_out, Side::upstream, what, failed};
    default: return Error{Fault::system, Side::gateway, what, failed};
    }
}

} // namespace

DirectDialer::DirectDialer(asio::io_context& io, DeadlineWheel& wheel, const Settings& settings,
                           std::shared_ptr<const Guard> guard, std::shared_ptr<const tls::DialContext> tls)
    : io_(io), wheel_(wheel), settings_(settings), guard_(std::move(guard)), tls_(std::move(tls)),
      resolver_(io, settings), idle_(settings)
{}

void DirectDialer::renew(const Settings& settings, std::shared_ptr<const Guard> guard,
                         std::shared_ptr<const tls::DialContext> tls)
{
    settings_ = settings;
    idle_.renew(settings);
    resolver_.renew(settings);
    guard_ = std::move(guard);
    tls_ = std::move(tls);
}

Task<Result<ConnectionPtr>> DirectDialer::dial(Target target, bool fresh)
{
    if (!fresh) {
        auto kept = idle_.take(target);
        if (kept != nullptr) co_return kept;
    }
    const auto until = std::chrono::steady_clock::now() + settings_.connect_limit;
    co_return co_await connect_any(std::move(target), until);
}

void DirectDialer::give_back(ConnectionPtr connection) { idle_.put(std::move(connection)); }

Task<Result<ConnectionPtr>> DirectDialer::connect_any(Target target, Time until)
{
    if (target.host.empty()) co_return co_await connect_one(target, target.endpoint, until);

    auto addresses = co_await resolver_.resolve(target.host, until);
    if (!addresses) co_return addresses.error();
    // Each address gets its share of the time that is left, so that a dead first one does not use it up.
    Error last{Fault::refused, Side::upstream, "no address of " + target.host, {}};
    for (std::size_t i = 0; i < addresses->size(); ++i) {
        const auto now = std::chrono::steady_clock::now();
        if (now >= until) co_return Error{Fault::timed_out, Side::upstream, "connect " + target.host, {}};
        const auto share = now + (until - now) / static_cast<int>(addresses->size() - i);
        auto connection = co_await connect_one(target, {(*addresses)[i], target.endpoint.port}, share);
        if (connection) co_return connection;
        last = connection.error();
    }
    co_return last;
}

Task<Result<ConnectionPtr>> DirectDialer::connect_one(const Target& target, Endpoint to, Time until)
{
    const auto allowed = guard_->check(to, target.named_by);
    if (!allowed) co_return allowed.error();

    const int family = to.address.is_v6() ? AF_INET6 : AF_INET;
    Descriptor descriptor{::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP)};
    if (!descriptor.is_open()) co_return system_error("socket for " + to.text());
    set(descriptor.number(), IPPROTO_TCP, TCP_NODELAY, 1);
    // Without the mark the rules could capture what we send; without privilege there are no rules either.
    set(descriptor.number(), SOL_SOCKET, SO_MARK, static_cast<int>(settings_.own_mark));

    const bool same_family = target.source && target.source->is_v6() == to.address.is_v6();
    const bool source_kept = same_family && bind_as(descriptor.number(), *target.source);

    SocketStream::Socket socket{io_};
    boost::system::error_code failed;
    socket.assign(asio::generic::stream_protocol{family, IPPROTO_TCP}, descriptor.number(), failed);
    if (failed) co_return Error{Fault::system, Side::gateway, "socket for " + to.text(), failed};
    descriptor.release();

    sockaddr_storage name{};
    const auto length = to_sockaddr(to, name);
    const asio::generic::stream_protocol::endpoint endpoint{reinterpret_cast<const sockaddr*>(&name), length,
                                                            IPPROTO_TCP};
    Deadline limit{wheel_,
                   [](void* waiting) noexcept {
                       boost::system::error_code ignored;
                       static_cast<SocketStream::Socket*>(waiting)->cancel(ignored);
                   },
                   &socket};
    limit.expire_at(until);
    auto outcome = co_await socket.async_connect(endpoint, as_outcome);
    limit.disarm();
    auto& [wrong] = outcome;
    if (wrong == asio::error::operation_aborted)
        co_return Error{Fault::timed_out, Side::upstream, "connect " + to.text(), {}};
    if (wrong) co_return connect_error(to, wrong);

    auto connection = std::make_unique<Connection>(wheel_);
    connection->stream = std::make_unique<SocketStream>(std::move(socket), Side::upstream, wheel_);
    connection->remote = to;
    connection->source_kept = source_kept;
    connection->target = target;
    if (target.tls) {
        connection->stream->expire_at(until);
        auto name_to_verify = target.host.empty() ? to.address.text() : target.host;
        auto plain = std::move(connection->stream);
        auto opened = co_await tls::dial(std::move(plain), std::move(name_to_verify), tls_);
        if (!opened) co_return opened.error();
        connection->stream = std::move(*opened);
    }
    co_return connection;
}

} // namespace gw::upstream
