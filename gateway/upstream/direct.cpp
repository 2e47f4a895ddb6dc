#include "gateway/upstream/direct.h"

#include "gateway/upstream/source.h"
#include "netfilter/reach.h"

#include <netinet/in.h>
#include <sys/socket.h>

namespace gw::upstream {

namespace {

bool is_short_of_descriptors(const Error& error)
{
    return error.cause.value() == EMFILE || error.cause.value() == ENFILE;
}

/// Left in the kernel, where it can, until the first bytes of the connection go along with it: see `push`.
Task<Result<>> send_proxy_header(Stream& stream, const std::string& header, std::chrono::steady_clock::time_point until)
{
    const auto count =
        ::send(stream.plain_socket(), header.data(), header.size(), MSG_MORE | MSG_NOSIGNAL | MSG_DONTWAIT);
    const auto sent = count < 0 ? std::size_t{0} : static_cast<std::size_t>(count);
    if (sent == header.size()) co_return Result<>{};
    stream.expire_at(until);
    auto written = co_await write_all(stream, asio::buffer(header.data() + sent, header.size() - sent));
    stream.expire_at(std::chrono::steady_clock::time_point::max());
    co_return written;
}

} // namespace

DirectDialer::DirectDialer(asio::io_context& io, DeadlineWheel& wheel, const Settings& settings,
                           std::shared_ptr<const Guard> guard, std::shared_ptr<const tls::DialContext> tls,
                           IdleShare& share, std::size_t worker)
    : wheel_(wheel), settings_(settings), guard_(std::move(guard)), tls_(std::move(tls)), resolver_(io, settings),
      idle_(settings, share, worker)
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
    return dial_until(std::move(target), fresh, std::chrono::steady_clock::now() + settings_.connect_limit);
}

Task<Result<ConnectionPtr>> DirectDialer::dial_until(Target target, bool fresh, Time until)
{
    if (!fresh) {
        auto kept = idle_.take(target);
        if (kept == nullptr) kept = idle_.take_over(target, tls_.get(), wheel_);
        if (kept != nullptr) co_return kept;
    }
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

/// As the client, as far as that goes: each attempt asks for less than the one before.
Task<Result<DirectDialer::Connected>> DirectDialer::connect_socket(const Target& target, const Endpoint& to, Time until)
{
    auto plan = plan_source(target, to, *guard_);
    for (;;) {
        auto opened = open_socket(target, to, settings_, plan);
        if (!opened && is_short_of_descriptors(opened.error())) {
            idle_.clear(); // kept for somebody who may never come
            opened = open_socket(target, to, settings_, plan);
        }
        if (!opened) co_return opened.error();
        auto stream = std::make_unique<SocketStream>(std::move(*opened), Side::upstream, wheel_);
        const auto tried = co_await connect_until(*stream, to, target.named_by, until);
        if (!tried) co_return tried.error();
        const auto wrong = *tried;
        if (is_taken(wrong) && plan.source != Source::gateway) {
            plan.settle_for_less();
            continue;
        }
        if (wrong) co_return connect_error(target, to, plan.source, wrong);
        Connected connected{std::move(stream), plan.source, plan.fallback};
        co_return connected;
    }
}

/// Ends by itself with `operation_aborted` when the time is over.
Task<Result<boost::system::error_code>> DirectDialer::connect_until(SocketStream& stream, const Endpoint& to,
                                                                    NamedBy named_by, Time until)
{
    const auto allowed = guard_->check(to, named_by);
    if (!allowed) co_return allowed.error();
    sockaddr_storage name{};
    const auto length = to_sockaddr(to, name);
    stream.expire_at(until);
    const auto wrong = co_await stream.connect(name, length);
    stream.expire_at(Time::max());
    co_return wrong;
}

Task<Result<ConnectionPtr>> DirectDialer::connect_one(const Target& target, Endpoint to, Time until)
{
    if (target.within != nullptr && !netfilter::allows(*target.within, to))
        co_return Error{Fault::denied, Side::client,
                        "the name leads to " + to.text() + ", which is none of the listener's destinations and ports"};

    auto opened = co_await connect_socket(target, to, until);
    if (!opened) co_return opened.error();

    auto connection = std::make_unique<Connection>(wheel_);
    connection->stream = std::move(opened->stream);
    connection->remote = to;
    connection->source = opened->source;
    connection->source_fallback = opened->fallback;
    connection->target = target;
    if (!target.proxy_header.empty()) {
        const auto sent = co_await send_proxy_header(*connection->stream, target.proxy_header, until);
        if (!sent) co_return sent.error();
    }
    if (target.tls) {
        connection->stream->expire_at(until);
        auto name_to_verify = target.host.empty() ? to.address.text() : target.host;
        auto plain = std::move(connection->stream);
        auto secured = co_await tls::dial(std::move(plain), std::move(name_to_verify), tls_);
        if (!secured) co_return secured.error();
        connection->stream = std::move(*secured);
        connection->accepted_by = tls_;
    }
    co_return connection;
}

} // namespace gw::upstream
