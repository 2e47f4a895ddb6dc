#include "gateway/proxy/http_session.h"

#include "gateway/http/path.h"

#include <algorithm>
#include <cassert>
#include <utility>
#include <vector>

namespace gw::proxy {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t head_read_bytes = 16 * 1024;

constexpr std::size_t most_spare_messages = 64;
constexpr std::size_t worth_keeping_bytes = 16 * 1024; // what one large message needed is given back
thread_local std::vector<std::unique_ptr<Messages>> spare_messages;

} // namespace

std::unique_ptr<Messages> Messages::borrow()
{
    if (spare_messages.empty()) return std::make_unique<Messages>();
    auto lent = std::move(spare_messages.back());
    spare_messages.pop_back();
    return lent;
}

void Messages::free_large_memory()
{
    for (auto* text :
         {&pinned_request, &pinned_response, &collected_request, &collected_response, &request_out, &response_out})
        if (text->capacity() > worth_keeping_bytes) std::string{}.swap(*text);
}

void Messages::give_back(std::unique_ptr<Messages> lent)
{
    if (spare_messages.size() >= most_spare_messages) return;
    lent->free_large_memory();
    lent->collected_request.clear();
    lent->collected_response.clear();
    // They point into buffers of a connection that may be gone by then.
    http::RequestHead request;
    request.fields = std::move(lent->request.fields);
    request.fields.clear();
    lent->request = std::move(request);
    http::ResponseHead response;
    response.fields = std::move(lent->response.fields);
    response.fields.clear();
    lent->response = std::move(response);
    spare_messages.push_back(std::move(lent));
}

HttpSession::HttpSession(const Client& client, const Surroundings& around, Kept& kept, Live& live, Observer& observer)
    : client_(client), around_(around), site_(around.site), early_(kept.early), upstream_(kept.upstream),
      port_used_(kept.port_used), live_(live), observer_(observer)
{
    live_.held_request = &collected_;
    live_.held_response = &collected_response_;
}

HttpSession::~HttpSession()
{
    live_.held_request = live_.held_response = nullptr;
    Messages::give_back(std::move(messages_));
}

BodySource HttpSession::client_body()
{
    BodySource source{client_.stream, client_.received, request_body_, site_.settings.body_idle_limit};
    source.pace = &pace_;
    if (decision_.route >= 0) {
        const auto& route = site_.routes.routes()[static_cast<std::size_t>(decision_.route)];
        source.limit_bytes = route.max_body_bytes.value_or(UINT64_MAX);
    }
    return source;
}

BodySource HttpSession::upstream_body()
{
    BodySource source{upstream_->stream ? *upstream_->stream : client_.stream, upstream_->received, response_body_,
                      site_.settings.body_idle_limit};
    return source;
}

// --- reading a head

Task<Result<bool>> HttpSession::read_head()
{
    const auto& settings = site_.settings;
    bool begun = !client_.received.empty();
    client_.stream.expire_after(begun ? settings.head_limit : settings.keep_alive_limit);
    http::HeadProgress progress;
    for (;;) {
        if (begun) {
            const auto parsed = http::parse_request_head(client_.received.view(), settings.limits, head_, &progress);
            if (const auto* complete = std::get_if<http::Complete>(&parsed)) {
                head_size_ = complete->size_bytes;
                co_return true;
            }
            if (const auto* refusal = std::get_if<http::Refusal>(&parsed)) {
                record_ = {};
                record_.began = Clock::now();
                record_.number = ++live_.requests;
                record_.error = refusal->error;
                const auto refused = co_await refuse_head(refusal->status);
                report();
                if (!refused) co_return refused.error();
                co_return refusal->error;
            }
        }
        const auto have = client_.received.size();
        const auto want = have < head_read_bytes ? head_read_bytes - have : head_read_bytes;
        auto count = co_await client_.stream.read_some(client_.received.prepare(want));
        if (!count) {
            if (!begun) co_return false; // an idle connection that ends, however it does, has lost nothing
            if (count.error().fault == Fault::timed_out) {
                const auto refused = co_await refuse_head(408);
                (void)refused;
            }
            co_return count.error();
        }
        if (*count == 0) {
            if (!begun) co_return false;
            co_return Error{Fault::closed, Side::client, "connection ended within a request head", {}};
        }
        client_.received.commit(*count);
        if (!begun) client_.stream.expire_after(settings.head_limit);
        begun = true;
    }
}

// --- one request

Result<> HttpSession::understand()
{
    host_ = http::normalise_host(head_.host, host_scratch_);
    if (head_.form == http::TargetForm::asterisk) {
        path_ = "*";
        return {};
    }
    const auto path = http::normalise_path(head_.path, path_scratch_);
    if (!path) {
        path_ = "/";
        return path.error();
    }
    path_ = *path;
    return {};
}

void HttpSession::pin_head()
{
    if (head_size_ == 0) return;
    pinned_head_.assign(client_.received.view().substr(0, head_size_));
    client_.received.consume(std::exchange(head_size_, 0));
    const auto parsed = http::parse_request_head(pinned_head_, site_.settings.limits, head_);
    assert(std::holds_alternative<http::Complete>(parsed)); // the same bytes again
    const auto understood = understand();
    (void)parsed, (void)understood;
    record_.method = head_.method;
    record_.target = head_.target;
    record_.host = host_;
}

bool HttpSession::body_is_here() const
{
    if (head_.framing.kind == http::Framing::Kind::none) return true;
    if (head_size_ == 0 || head_.framing.kind != http::Framing::Kind::length) return request_body_.ended();
    return client_.received.size() - head_size_ >= head_.framing.length_bytes;
}

/// The body where it lies behind the head; only while the head is not pinned and `body_is_here`.
std::string_view HttpSession::body_here() const
{
    if (head_size_ == 0 || head_.framing.kind != http::Framing::Kind::length) return {};
    return client_.received.view().substr(head_size_, static_cast<std::size_t>(head_.framing.length_bytes));
}

void HttpSession::finish_request_bytes()
{
    if (head_size_ == 0) return;
    const auto body = body_is_here() ? body_here().size() : 0;
    client_.received.consume(std::exchange(head_size_, 0) + body);
}

void HttpSession::report()
{
    record_.ended = Clock::now();
    live_.from_client_bytes += record_.request_bytes;
    live_.to_client_bytes += record_.response_bytes;
    observer_.ended(record_);
}

void HttpSession::begin_exchange()
{
    record_.began = Clock::now();
    record_.number = ++live_.requests;
    record_.method = head_.method;
    record_.target = head_.target;
    record_.minor_version = head_.minor_version;
    request_body_.restart(head_.framing);
    pace_ = {site_.settings.least_body_bytes_per_second, site_.settings.body_grace, {}};
}

/// A server that decodes %2F, or drops ";x=1", would see a path that another route was meant for: what that route
/// guards must not be reached around it.
bool HttpSession::reads_as_another_route(const route::Request& request) const
{
    for (int reading = 0; reading < http::other_readings; ++reading) {
        const auto path = http::other_reading(path_, reading);
        auto other = request;
        other.path = path;
        route::Decision decision;
        site_.routes.decide(other, client_.otherwise, decision);
        if (decision.route != decision_.route) return true;
    }
    return false;
}

/// How often the request has come through here already. CDN-Loop is a list, and whoever passes a request on adds its
/// name and takes none away: RFC 8586. Via would say the same, but servers answer differently to it; nginx, for one,
/// compresses nothing for a request that has it. Passing a few times is no fault: a server behind the gateway may ask
/// another one through it.
bool HttpSession::goes_round() const
{
    if (site_.instance.empty()) return false;
    std::size_t passes = 0;
    for (const auto& field : head_.fields) {
        if (!http::same_name(field.name, "CDN-Loop")) continue;
        for (auto at = field.value.find(site_.instance); at != std::string_view::npos;
             at = field.value.find(site_.instance, at + site_.instance.size()))
            ++passes;
    }
    return passes >= site_.settings.own_hops;
}

/// Memory is short. What is refused costs nothing; asked again a moment later it may be served.
Task<Result<HttpSession::Next>> HttpSession::answer_shortage()
{
    record_.error = short_of_memory();
    head_.keep_alive = false;
    own_field_ = {{{"Retry-After", "1"}}};
    return answer(503, "The gateway cannot serve this request now.", own_field_);
}

/// Decides, and hands over to who answers: no coroutine of its own.
Task<Result<HttpSession::Next>> HttpSession::serve_request()
{
    decision_.route = -1;
    if (around_.shedding != nullptr && around_.shedding->load(std::memory_order_relaxed)) return answer_shortage();
    // A gateway is no forward proxy: CONNECT has no meaning here. TRACE would show a client the fields added on the
    // way.
    if (head_.method == "CONNECT" || head_.method == "TRACE") {
        own_field_ = {{{"Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}}};
        return answer(405, "This method is not served here.", own_field_);
    }
    const auto understood = understand();
    record_.host = host_;
    if (!understood) return answer_error(understood.error());

    if (goes_round()) {
        record_.error = Error{Fault::denied,
                              Side::gateway,
                              "loop: the request has passed this gateway " + std::to_string(site_.settings.own_hops) +
                                  " times (limits.hops)",
                              {}};
        return answer(508, "This request goes round in circles.");
    }
    const route::Request request{host_, path_, head_.query, head_.method, client_.flow.listener};
    site_.routes.decide(request, client_.otherwise, decision_);
    plan_ = &site_.plan_of(decision_);
    if (http::has_other_readings(path_) && reads_as_another_route(request))
        return answer(400, "The request's path can be read in more than one way.");
    record_.route = live_.route = decision_.route;
    record_.action = route::name_of(decision_.action);

    if (head_.framing.length_bytes > client_body().limit_bytes)
        return answer(413, "The request's body is larger than this route takes.");

    record_.served = decision_.action == route::Action::respond || decision_.action == route::Action::redirect;
    switch (decision_.action) {
    case route::Action::deny: return answer(404, "No route leads there.");
    case route::Action::respond: return answer(decision_.status, decision_.text);
    case route::Action::redirect:
        own_field_ = {{{"Location", decision_.text}}};
        return answer(decision_.status, {}, own_field_);
    case route::Action::forward_original:
    case route::Action::forward_url:
    case route::Action::forward_pool: break;
    }

    const auto& policy = site_.waf.policies[plan_->waf_policy];
    record_.waf_mode = around_.inspector == nullptr ? waf::Mode::off : policy.mode;
    return record_.waf_mode == waf::Mode::off ? forward() : inspect_and_forward();
}

Task<Result<HttpSession::Next>> HttpSession::inspect_and_forward()
{
    inspection_ = around_.inspector->begin(plan_->waf_policy);
    const auto status = co_await inspect_request();
    if (!status) co_return co_await answer_error(status.error());
    if (*status != 0) co_return co_await answer_refusal(*status);
    co_return co_await forward();
}

Task<Result<HttpSession::Next>> HttpSession::serve()
{
    const auto more = co_await read_head();
    live_.waiting = false;
    if (!more) co_return more.error();
    if (!*more) co_return Next::close;
    begin_exchange();
    auto next = co_await serve_request();
    if (!next) record_.error = next.error();
    report();
    finish_request_bytes();
    if (!next || *next != Next::close) co_return next;
    // Who lingers needs nothing of it any more.
    inspection_.reset();
    messages_->free_large_memory();
    const bool unread = !client_.received.empty() || !request_body_.ended();
    if (unread) co_await linger();
    co_return next;
}

// --- one after another

namespace {

Task<Result<HttpSession::Next>> serve_one(const Client& client, const Surroundings& around, Kept& kept, Live& live,
                                          Observer& observer)
{
    HttpSession session{client, around, kept, live, observer};
    co_return co_await session.serve();
}

/// Not one that has the client's port, has told the server of it, or is taken for one user: it serves nobody else.
bool may_share(const upstream::Connection& used)
{
    return used.target.proxy_header.empty() && used.target.source_port == 0 && !used.personal;
}

/// A first request has mostly come by the time its connection is accepted: reading it says so, and nobody has to look
/// first. False: the connection has ended.
bool read_what_came_along(const Client& client)
{
    const auto count = client.stream.read_now(client.received.prepare(head_read_bytes));
    if (count && *count) client.received.commit(**count);
    client.received.release_if_empty();
    return !count || (*count && **count > 0);
}

} // namespace

bool must_end(const Surroundings& around)
{
    return around.draining == Draining::now || (around.shedding != nullptr && around.shedding->load());
}

Task<Result<Served>> run(Client client, Surroundings around, upstream::ConnectionPtr early, Live& live,
                         Observer& observer)
{
    Kept kept{std::move(early), nullptr};
    kept.port_used = kept.early != nullptr && kept.early->target.source_port != 0;
    for (;;) {
        live.waiting = true;
        if (live.requests == 0 && client.received.empty() && !read_what_came_along(client)) break;
        if (client.received.empty()) {
            const auto& limits = around.site.settings;
            const auto now = Clock::now();
            const auto until =
                now + (around.draining == Draining::now ? limits.first_request_limit : limits.keep_alive_limit);
            const bool is_at_hand = kept.upstream != nullptr && may_share(*kept.upstream);
            const bool may_rest =
                client.may_rest && kept.early == nullptr && !kept.port_used && (kept.upstream == nullptr || is_at_hand);
            const bool in_two = is_at_hand || may_rest;
            client.stream.expire_at(in_two ? std::min(until, now + limits.at_hand_limit) : until);
            auto ready = co_await client.stream.wait_readable();
            if (!ready && in_two && ready.error().fault == Fault::timed_out && Clock::now() < until) {
                // Another connection of this client may use it, and there are bounds to what waits there.
                if (is_at_hand) around.dialer.give_back(std::move(kept.upstream));
                if (must_end(around)) break; // it was told so while it had its turn coming
                client.stream.expire_at(until);
                client.received.release_if_empty(); // of a PROXY header, before the first request
                if (may_rest) co_return Served{nullptr, true};
                ready = co_await client.stream.wait_readable();
            }
            if (!ready) break; // however it ends, that loses nothing
        }
        const auto next = co_await serve_one(client, around, kept, live, observer);
        if (!next) co_return next.error();
        if (*next == HttpSession::Next::upgraded) co_return Served{std::move(kept.upstream)};
        if (*next == HttpSession::Next::close) break;
        // One that carries this client's address serves few others: it stays at hand for a moment. Others go back at
        // once.
        auto& used = kept.upstream;
        const bool shared = used != nullptr && !used->target.source && may_share(*used);
        if (shared && client.received.empty()) around.dialer.give_back(std::move(used));
        if (around.draining == Draining::now && client.received.empty()) break;
        client.received.release_if_empty();
        if (used != nullptr) used->received.release_if_empty();
    }
    live.waiting = false;
    // One that has introduced this client, with its port, can serve nobody who comes later.
    auto& used = kept.upstream;
    if (used != nullptr && used->target.proxy_header.empty() && !used->personal)
        around.dialer.give_back(std::move(used));
    co_return Served{};
}

} // namespace gw::proxy
