#include "gateway/session/session.h"

#include "gateway/intake/learn_flow.h"
#include "gateway/intake/peek_hello.h"
#include "gateway/proxy/proxy.h"

namespace gw::session {

namespace {

constexpr std::size_t body_room_bytes = 32 * 1024;
constexpr std::uint16_t tls_port = 443; // of a name in a TLS hello, which says none

std::size_t buffer_limit(const Generation& generation)
{
    return std::max(generation.intake.max_hello_bytes, generation.site.settings.limits.head_bytes) + body_room_bytes;
}

} // namespace

Session::Session(Host& host, Descriptor socket, DeadlineWheel& wheel, const Endpoint& client,
                 const intake::ListenerSettings& listener, std::string id)
    : host_(host), around_(host.surroundings()), stream_(std::move(socket), Side::client, wheel), listener_(listener),
      received_(buffer_limit(*around_.generation))
{
    record_.id = std::move(id);
    record_.flow.client = client;
    record_.flow.listener = listener_.name;
    record_.generation = around_.generation->number;
    record_.began = std::chrono::steady_clock::now();
    record_.began_at = std::chrono::system_clock::now();
    host_.began(*this);
}

Session::~Session() { host_.ended(*this); }

// --- the way of a connection

/// Its frame lives as long as the connection, so it holds little.
Task<Result<>> Session::serve()
{
    if (!std::exchange(rests_, false)) {
        const auto understood = co_await understand();
        if (!understood) co_return understood.error();
        if (!*understood) co_return co_await relay_over(*early_, around_.generation->relay);
    }
    auto served = co_await serve_http();
    if (!served) co_return served.error();
    rests_ = served->rests;
    introduction_.reset();
    early_ = std::move(served->upgraded);
    if (early_ == nullptr) co_return Result<>{};
    co_return co_await relay_upgraded();
}

/// Who it is, what it speaks and, unless that is HTTP, a connection to where it goes. True: it is HTTP.
Task<Result<bool>> Session::understand()
{
    const auto flow =
        intake::learn_flow(stream_.plain_socket(), record_.flow.client, listener_, around_.generation->guard->local());
    if (!flow) co_return flow.error();
    record_.flow = *flow;
    if (listener_.proxy_protocol) {
        const auto taken = co_await take_proxy_header();
        if (!taken) co_return taken.error();
    }

    const auto hello = co_await greet();
    if (!hello) co_return hello.error();
    note(*hello);
    const auto fits = check_protocol(*hello);
    if (!fits) co_return fits.error();

    if (hello->kind == Hello::Kind::http1) co_return true;
    const auto dialled = co_await dial_for(*hello);
    if (!dialled) co_return dialled.error();
    co_return false;
}

// --- what the client speaks

void Session::note(const Hello& hello)
{
    record_.kind = hello.kind;
    record_.peeked_after = std::chrono::steady_clock::now() - record_.began;
    if (hello.kind != Hello::Kind::tls) return;
    auto offer = std::make_unique<TlsOffer>();
    offer->server_name = hello.server_name;
    offer->encrypted_client_hello = hello.encrypted_client_hello;
    for (const auto& protocol : hello.alpn) offer->alpn += (offer->alpn.empty() ? "" : ",") + protocol;
    record_.tls = std::move(offer);
}

Task<Result<Hello>> Session::greet()
{
    record_.state = "peeking";
    Hello known;
    switch (listener_.protocol) {
    case intake::Protocol::http: known.kind = Hello::Kind::http1; co_return known;
    case intake::Protocol::tcp: known.kind = Hello::Kind::other; co_return known;
    case intake::Protocol::udp: // never a connection
    case intake::Protocol::tls:
    case intake::Protocol::automatic: break;
    }
    // Where the client was going is known, or where everybody is served.
    const bool leads_on = listener_.intercept ? record_.flow.knows_destination() : otherwise() != route::Action::deny;
    const bool may_wait_for_server = listener_.protocol == intake::Protocol::automatic && leads_on;
    if (may_wait_for_server && received_.empty()) {
        const auto spoke =
            co_await intake::read_first_bytes(stream_, received_, around_.generation->intake.dial_early_after);
        if (!spoke) co_return spoke.error();
        if (!*spoke) co_return co_await greet_silent_client();
    }
    co_return co_await intake::peek_hello(stream_, received_, around_.generation->intake);
}

Task<Result<>> Session::dial(upstream::Target target)
{
    record_.state = "dialling";
    const auto begin = std::chrono::steady_clock::now();
    auto dialled = co_await around_.worker.dialer.dial(std::move(target), true);
    record_.dial_time = std::chrono::steady_clock::now() - begin;
    if (!dialled) co_return dialled.error();
    early_ = std::move(*dialled);
    record_.upstream = early_->remote;
    record_.source = early_->source;
    record_.source_fallback = early_->source_fallback;
    co_return Result<>{};
}

/// A client that says nothing may wait for the server to speak first, as with SMTP or SSH. So the server is dialled,
/// and whoever speaks first decides. An HTTP client that was only slow finds its connection already made.
Task<Result<Hello>> Session::greet_silent_client()
{
    auto target = early_target();
    const auto dialled = co_await dial(std::move(target));
    if (!dialled) co_return co_await greet_without_server(dialled.error());
    upstream::push(*early_); // the server may wait for the header before it speaks
    record_.dialled_early = true;
    record_.state = "peeking";

    Hello hello;
    auto* upstream = dynamic_cast<SocketStream*>(early_->stream.get());
    const auto first = co_await intake::who_speaks_first(stream_, *upstream, around_.generation->intake.hello_limit);
    if (!first) co_return first.error();
    switch (*first) {
    case intake::Who::client: break;
    case intake::Who::upstream: hello.kind = Hello::Kind::server_first; co_return hello;
    case intake::Who::nobody: hello.kind = Hello::Kind::silent; co_return hello;
    }
    co_return co_await intake::peek_hello(stream_, received_, around_.generation->intake);
}

/// Nobody answers where the client was going. A client that was only slow may yet be meant for somewhere else: a route
/// decides that, once there is something to decide on.
Task<Result<Hello>> Session::greet_without_server(Error unreachable)
{
    if (around_.generation->site.routes.routes().empty()) co_return unreachable;
    record_.state = "peeking";
    auto hello = co_await intake::peek_hello(stream_, received_, around_.generation->intake);
    if (!hello && received_.empty()) co_return unreachable;
    co_return hello;
}

/// What the listener is for, and what could carry requests past the inspection.
Result<> Session::check_protocol(const Hello& hello) const
{
    if (listener_.protocol == intake::Protocol::tls && hello.kind != Hello::Kind::tls)
        return Error{Fault::denied, Side::client, "not TLS, on a listener for TLS", {}};
    const auto& policies = around_.generation->site.waf.policies;
    const bool blocks =
        std::any_of(policies.begin(), policies.end(), [](const auto& p) { return p.mode == waf::Mode::block; });
    if (hello.kind == Hello::Kind::http2 && blocks && listener_.protocol == intake::Protocol::automatic)
        return Error{
            Fault::denied, Side::client, "HTTP/2 in clear text cannot be inspected, and waf.mode is block", {}};
    return {};
}

// --- passing it on

route::Action Session::otherwise() const
{
    if (listener_.otherwise == intake::Otherwise::pool) return route::Action::forward_pool;
    return listener_.otherwise == intake::Otherwise::original && record_.flow.intercepted()
               ? route::Action::forward_original
               : route::Action::deny;
}

bool Session::keeps_address() const
{
    return listener_.client_address != intake::ClientAddress::gateway && record_.flow.intercepted();
}

/// Handed over by tproxy, both connections of a relay with the client's port would have the same addresses and ports.
void Session::give_source(upstream::Target& target) const
{
    if (!keeps_address()) return;
    target.source = record_.flow.client.address;
    if (listener_.client_address != intake::ClientAddress::keep_with_port) return;
    target.source_port = record_.flow.client.port;
    target.is_twin = record_.flow.recovered == Recovered::socket_name;
}

/// Where a name that the client chose may lead. Lives as long as who looks at it.
std::shared_ptr<const netfilter::Intercept> Session::within() const
{
    if (record_.flow.recovered != Recovered::name) return nullptr;
    return {around_.generation, &*listener_.intercept};
}

upstream::Target Session::original_target() const
{
    upstream::Target target;
    target.endpoint = record_.flow.destination;
    give_source(target);
    return target;
}

/// Nobody knows where the client was going: the name it asks for must say it.
Result<upstream::Target> Session::named_target(const Hello& hello) const
{
    if (hello.kind != Hello::Kind::tls || hello.server_name.empty())
        return Error{
            Fault::denied,
            Side::client,
            "nothing says where it was going: conntrack of this host does not know, and there is no name in it",
            {}};
    upstream::Target target;
    target.host = hello.server_name;
    target.endpoint.port = tls_port;
    target.within = within();
    give_source(target);
    return target;
}

upstream::Target Session::pool_target(std::size_t number) const
{
    const auto& pool = around_.generation->site.pools[number];
    upstream::Target target;
    target.named_by = upstream::NamedBy::configuration;
    target.pool = &pool;
    target.proxy_header = proxy_header(pool.send_proxy);
    give_source(target);
    return target;
}

/// Where a connection most likely goes of which nothing is known but where it came in.
upstream::Target Session::early_target() const
{
    return otherwise() == route::Action::forward_pool ? pool_target(listener_.pool) : original_target();
}

Result<upstream::Target> Session::relay_target(const Hello& hello)
{
    route::Decision decision;
    decision.action = otherwise();
    if (hello.kind == Hello::Kind::tls)
        around_.generation->site.routes.decide_by_name(hello.server_name, listener_.name, otherwise(), decision);
    record_.live.route = decision.route;
    record_.action = route::name_of(decision.action);
    if (decision.action == route::Action::forward_original)
        return record_.flow.knows_destination() ? original_target() : named_target(hello);
    if (decision.action == route::Action::forward_pool)
        return pool_target(decision.route < 0 ? listener_.pool : around_.generation->site.plan_of(decision).pool);
    if (decision.action != route::Action::forward_url)
        return Error{Fault::denied, Side::client, "no route for this connection", {}};
    upstream::Target target;
    target.named_by = decision.host_from_client ? upstream::NamedBy::client : upstream::NamedBy::configuration;
    target.host = decision.host;
    target.endpoint.port = decision.port;
    give_source(target);
    return target;
}

Task<Result<>> Session::dial_for(const Hello& hello)
{
    auto target = relay_target(hello);
    if (!target) co_return target.error();
    if (early_ == nullptr || !upstream::serves(early_->target, *target)) {
        record_.dialled_early = false;
        const auto dialled = co_await dial(std::move(*target));
        if (!dialled) co_return dialled.error();
    }
    co_return Result<>{};
}

Task<Result<>> Session::relay_over(upstream::Connection& upstream, const relay::Settings& settings)
{
    record_.state = "relaying";
    if (received_.empty()) upstream::push(upstream);
    return relay::run(stream_, *upstream.stream, received_, upstream.received, settings, record_.relayed);
}

proxy::Surroundings Session::around() const
{
    const auto& generation = *around_.generation;
    const auto& worker = around_.worker;
    return {generation.site,  around_.inspector.get(), worker.dialer,     worker.draining,
            &worker.shedding, &worker.memory,          generation.number, &worker.newest};
}

Task<Result<proxy::Served>> Session::serve_http()
{
    record_.state = "http";
    record_.action = "http";
    const auto& generation = *around_.generation;
    proxy::Client client{stream_, received_, record_.flow, record_.id, false, {}, otherwise()};
    give_source(client.begun);
    client.begun.within = within();
    client.pool = listener_.pool;
    client.secure = record_.introduced != nullptr && record_.introduced->over_tls;
    if (generation.introduces) {
        introduction_ = std::make_unique<upstream::Introduction>();
        *introduction_ = {proxy_header(upstream::SendProxy::v1), proxy_header(upstream::SendProxy::v2)};
        client.introduction = introduction_.get();
    }
    client.may_rest = true;
    return proxy::run(std::move(client), around(), std::move(early_), record_.live, *this);
}

Task<Result<>> Session::relay_upgraded()
{
    record_.upstream = early_->remote;
    auto settings = around_.generation->relay;
    settings.idle_limit = around_.generation->site.settings.upgraded_idle_limit;
    co_return co_await relay_over(*early_, settings);
}

void Session::drain()
{
    if (!is_idle()) return;
    // It has connected in order to ask something, and may be about to.
    if (record_.live.requests == 0)
        stream_.expire_after(around_.generation->site.settings.first_request_limit);
    else
        stream_.cancel();
}

bool Session::is_idle() const { return record_.state == "http" && record_.live.waiting && received_.empty(); }

bool Session::must_end() const
{
    const auto& worker = around_.worker;
    if (worker.draining == proxy::Draining::now && record_.live.requests == 0) return worker.shedding;
    return proxy::must_end(around());
}

bool Session::end_if_idle()
{
    const bool idle = is_idle();
    if (idle) stream_.cancel();
    return idle;
}

std::size_t Session::held_bytes() const
{
    auto sum = received_.size();
    for (const auto* held : {record_.live.held_request, record_.live.held_response})
        if (held != nullptr) sum += held->capacity();
    return sum;
}

} // namespace gw::session
