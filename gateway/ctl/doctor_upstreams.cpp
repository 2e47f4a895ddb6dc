#include "gateway/ctl/doctor_upstreams.h"

#include "gateway/base/descriptor.h"
#include "gateway/base/socket_stream.h"
#include "gateway/route/destination.h"
#include "gateway/tls/dial.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstring>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>

namespace gw::ctl {

namespace {

using doctor::Finding;
using doctor::Severity;
using Clock = std::chrono::steady_clock;

constexpr std::size_t most_upstreams = 64; ///< tried; more are not
constexpr auto expires_soon = std::chrono::hours(24 * 14);

std::string name_of(const Upstream& upstream)
{
    const bool v6 = upstream.host.find(':') != std::string::npos;
    return (v6 ? '[' + upstream.host + ']' : upstream.host) + ':' + std::to_string(upstream.port);
}

std::string advice(const Upstream& upstream)
{
    return "start the server, or change to: at " + upstream.where + ", then: gatewayctl reload";
}

/// The fixed text of a host; none when a client has a say in it.
std::optional<std::string> fixed_host(const route::Destination& destination)
{
    if (destination.is_bound_to_client()) return std::nullopt;
    std::string host;
    for (const auto& part : destination.host) {
        if (part.binding >= 0) return std::nullopt;
        host += part.text;
    }
    if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
    return host.empty() ? std::nullopt : std::optional(host);
}

struct Resolved {
    std::vector<Endpoint> endpoints{};
    std::string error;
};

Resolved resolve(const Upstream& upstream)
{
    if (const auto address = Address::parse(upstream.host)) return {{{*address, upstream.port}}, {}};
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (const int failed = ::getaddrinfo(upstream.host.c_str(), nullptr, &hints, &list); failed != 0)
        return {{}, ::gai_strerror(failed)};
    Resolved resolved;
    for (const auto* one = list; one != nullptr; one = one->ai_next) {
        sockaddr_storage storage{};
        std::memcpy(&storage, one->ai_addr, one->ai_addrlen);
        resolved.endpoints.push_back({from_sockaddr(storage).address, upstream.port});
    }
    ::freeaddrinfo(list);
    return resolved;
}

/// A connected socket, or the errno.
std::pair<Descriptor, int> connect_to(const Endpoint& to, std::uint32_t mark, Clock::time_point until)
{
    sockaddr_storage name{};
    const auto length = to_sockaddr(to, name);
    Descriptor socket{::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!socket.is_open()) return {Descriptor{}, errno};
    // As the gateway itself would; without the privilege it goes unmarked.
    ::setsockopt(socket.number(), SOL_SOCKET, SO_MARK, &mark, sizeof mark);
    if (::connect(socket.number(), reinterpret_cast<const sockaddr*>(&name), length) == 0)
        return {std::move(socket), 0};
    if (errno != EINPROGRESS) return {Descriptor{}, errno};
    pollfd wait{socket.number(), POLLOUT, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    if (::poll(&wait, 1, static_cast<int>(std::max<long long>(left.count(), 0))) <= 0) return {Descriptor{}, ETIMEDOUT};
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket.number(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return {Descriptor{}, error};
    return {std::move(socket), 0};
}

/// What the handshake of a TLS upstream shows.
struct Handshake {
    std::string refused;
    std::optional<std::chrono::system_clock::time_point> certificate_ends{};
};

Task<void> shake_hands(DeadlineWheel& wheel, Descriptor socket, const Upstream& upstream, Clock::time_point until,
                       Handshake& into)
{
    auto plain = std::make_unique<SocketStream>(std::move(socket), Side::upstream, wheel);
    plain->expire_at(until);
    const tls::DialSettings settings;
    auto context = tls::DialContext::make(settings);
    if (!context) {
        into.refused = context.error().what;
        co_return;
    }
    auto dialled = co_await tls::dial(std::move(plain), upstream.host, *context);
    if (!dialled)
        into.refused = dialled.error().what;
    else
        into.certificate_ends = tls::certificate_end(**dialled);
    if (dialled) (*dialled)->close(true);
    wheel.stop();
}

void look_at_certificate(const Upstream& upstream, Descriptor socket, Clock::time_point until,
                         std::vector<Finding>& into)
{
    asio::io_context io{1};
    DeadlineWheel wheel{io.get_executor()};
    Handshake shaken;
    asio::co_spawn(io, shake_hands(wheel, std::move(socket), upstream, until, shaken), [](std::exception_ptr bug) {
        if (bug) std::rethrow_exception(bug);
    });
    io.run();
    const auto see = "openssl s_client -connect " + name_of(upstream) + " -servername " + upstream.host;
    if (!shaken.refused.empty())
        into.push_back({"upstream-certificate", Severity::error,
                        "TLS with " + name_of(upstream) + " fails: " + shaken.refused, "route at " + upstream.where,
                        "every request that takes this route: 502", see});
    const auto left = shaken.certificate_ends.value_or(std::chrono::system_clock::time_point::max()) -
                      std::chrono::system_clock::now();
    if (left >= expires_soon) return;
    const auto days = std::chrono::duration_cast<std::chrono::hours>(left).count() / 24;
    into.push_back({"upstream-certificate", Severity::warning,
                    "the certificate of " + name_of(upstream) + " ends in " + std::to_string(days) + " days",
                    "route at " + upstream.where, "then every request that takes this route: 502", see});
}

std::vector<Finding> try_one(const Upstream& upstream, std::uint32_t mark, std::chrono::milliseconds limit)
{
    const auto until = Clock::now() + limit;
    const auto resolved = resolve(upstream);
    std::vector<Finding> found;
    if (resolved.endpoints.empty()) {
        found.push_back({"upstream-name", Severity::error,
                         "the name " + upstream.host + " has no address: " + resolved.error,
                         "route at " + upstream.where, "every request that takes this route: 502",
                         "getent ahosts " + upstream.host});
        return found;
    }
    std::string refusals;
    for (const auto& endpoint : resolved.endpoints) {
        auto [socket, error] = connect_to(endpoint, mark, until);
        if (socket.is_open()) {
            if (upstream.tls) look_at_certificate(upstream, std::move(socket), until, found);
            return found;
        }
        refusals += (refusals.empty() ? "" : ", ") + endpoint.text() + ": " + std::strerror(error);
    }
    found.push_back({"upstream-unreachable", Severity::error, name_of(upstream) + " takes no connection: " + refusals,
                     "route at " + upstream.where, "every request that takes this route: 502 or 504",
                     advice(upstream)});
    return found;
}

} // namespace

std::vector<Upstream> upstreams_of(const config::Settings& settings)
{
    std::vector<Upstream> upstreams;
    for (const auto& one : settings.routes) {
        const auto destination = route::parse_destination(one.to, nullptr);
        if (!destination || destination->action != route::Action::forward_url) continue;
        const auto host = fixed_host(*destination);
        if (!host) continue;
        Upstream upstream{destination->scheme == "https://", *host, destination->port, one.where.text()};
        const bool known = std::find(upstreams.begin(), upstreams.end(), upstream) != upstreams.end();
        if (!known && upstreams.size() < most_upstreams) upstreams.push_back(std::move(upstream));
    }
    return upstreams;
}

std::vector<Finding> try_upstreams(const std::vector<Upstream>& upstreams, std::uint32_t mark,
                                   std::chrono::milliseconds limit)
{
    std::vector<std::vector<Finding>> found(upstreams.size());
    std::vector<std::thread> trying;
    for (std::size_t i = 0; i < upstreams.size(); ++i)
        trying.emplace_back([&, i] { found[i] = try_one(upstreams[i], mark, limit); });
    for (auto& one : trying) one.join();
    std::vector<Finding> all;
    for (auto& of_one : found) std::move(of_one.begin(), of_one.end(), std::back_inserter(all));
    for (const auto& check : doctor::checks()) {
        if (!check.id.starts_with("upstream-") || upstreams.empty()) continue;
        if (std::none_of(all.begin(), all.end(), [&](const Finding& one) { return one.id == check.id; }))
            all.push_back({std::string(check.id), Severity::ok, std::string(check.asks), {}, {}, {}});
    }
    return all;
}

} // namespace gw::ctl
