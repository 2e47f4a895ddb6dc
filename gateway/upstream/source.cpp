#include "gateway/upstream/source.h"

#include "gateway/base/socket_options.h"

#include <boost/asio/error.hpp>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace gw::upstream {

namespace {

bool set(int socket, int level, int option, int value)
{
    return ::setsockopt(socket, level, option, &value, sizeof value) == 0;
}

/// Without a port the kernel chooses one at connect: chosen at bind, one client could have only as many connections as
/// there are free ports, whatever their destinations. With one, several sockets may have it towards different ones.
bool bind_as(int socket, const Address& source, std::uint16_t port)
{
    const bool transparent =
        source.is_v6() ? set(socket, SOL_IPV6, IPV6_TRANSPARENT, 1) : set(socket, SOL_IP, IP_TRANSPARENT, 1);
    if (!transparent) return false;
    if (port == 0) set(socket, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    set(socket, SOL_SOCKET, SO_REUSEADDR, port != 0 ? 1 : 0);
    sockaddr_storage name{};
    const auto length = to_sockaddr({source, port}, name);
    return ::bind(socket, reinterpret_cast<const sockaddr*>(&name), length) == 0;
}

} // namespace

void SourcePlan::settle_for_less()
{
    const bool port = source == Source::kept_with_port;
    source = port ? Source::kept : Source::gateway;
    fallback = port ? "the client's port is taken towards this upstream"
                    : "no port of the client's address is free towards this upstream";
}

SourcePlan plan_source(const Target& target, const Endpoint& to, const Guard& guard)
{
    if (!target.source) return {};
    if (target.source->is_v6() != to.address.is_v6())
        return {Source::gateway, "the upstream's address is of another family than the client's"};
    if (guard.is_own(*target.source)) return {Source::gateway, "the client is on this host"};
    return {target.source_port != 0 ? Source::kept_with_port : Source::kept};
}

Result<Descriptor> open_socket(const Target& target, const Endpoint& to, const Settings& settings, SourcePlan& plan)
{
    const int family = to.address.is_v6() ? AF_INET6 : AF_INET;
    Descriptor socket{::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP)};
    if (!socket.is_open()) return system_error("socket for " + to.text());
    set(socket.number(), IPPROTO_TCP, TCP_NODELAY, 1);
    while (plan.source != Source::gateway) {
        const bool with_port = plan.source == Source::kept_with_port;
        if (bind_as(socket.number(), *target.source, with_port ? target.source_port : 0)) break;
        if (errno == EACCES && with_port)
            plan = {Source::kept, "not permitted to use the client's port: below 1024 it takes CAP_NET_BIND_SERVICE"};
        else if (errno == EPERM || errno == EACCES)
            plan = {Source::gateway, "not permitted to use the client's address: it takes CAP_NET_RAW"};
        else
            plan.settle_for_less();
    }
    // Without the mark the rules could capture what we send; without privilege there are no rules either.
    const bool twin = target.is_twin && plan.source == Source::kept_with_port;
    set(socket.number(), SOL_SOCKET, SO_MARK, static_cast<int>(twin ? settings.twin_mark : settings.own_mark));
    return socket;
}

bool is_taken(const boost::system::error_code& failed)
{
    return failed.category() == boost::system::system_category() &&
           (failed.value() == EADDRNOTAVAIL || failed.value() == EADDRINUSE);
}

Error connect_error(const Target& target, const Endpoint& to, Source source, const boost::system::error_code& failed)
{
    auto what = "connect " + to.text();
    const bool late = failed == boost::asio::error::operation_aborted || failed.value() == ETIMEDOUT;
    if (late && source != Source::gateway)
        what += " as " + target.source->text() +
                ": no answer came through this host. If the server answers the client by another way, it needs a route "
                "through this host, or the listener needs client_address: gateway";
    if (late && source == Source::kept_with_port && target.is_twin)
        what += "; if rules of this host change the source of what it sends, the listener needs client_address: keep";
    if (failed == boost::asio::error::operation_aborted) return Error{Fault::timed_out, Side::upstream, what, {}};
    switch (failed.value()) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ECONNRESET: return Error{Fault::refused, Side::upstream, what, failed};
    case ETIMEDOUT: return Error{Fault::timed_out, Side::upstream, what, failed};
    default: return Error{Fault::system, Side::gateway, what, failed};
    }
}

} // namespace gw::upstream
