#include "gateway/proxy/http_session.h"

#include "gateway/http/encode.h"
#include "gateway/http/forwarded.h"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace gw::proxy {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// RFC 9110 section 10.1.1: a client need not wait for 100 for ever, nor does it; curl waits as long.
constexpr auto continue_limit = 1s;
constexpr std::uint16_t http_port = 80, https_port = 443;

bool is_idempotent(std::string_view method)
{
    return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" || method == "DELETE";
}

/// Fields the gateway writes itself.
bool is_written_anew(std::string_view name)
{
    return http::same_name(name, "Host") || http::same_name(name, "Content-Length") || http::same_name(name, "Expect");
}

/// "Host: name:port"; the port of the scheme is left out. RFC 9110 section 7.2.
void append_host(std::string& out, const std::string& host, std::uint16_t port, bool tls)
{
    const bool v6 = host.find(':') != std::string::npos;
    out.append(v6 ? "Host: [" : "Host: ").append(host).append(v6 ? "]" : "");
    if (port != (tls ? 443 : 80)) out.append(":").append(std::to_string(port));
    out.append("\r\n");
}

/// Appends those of our own lines whose field the route does not take away or set itself.
void append_lines_kept(std::string& out, std::string_view lines, const filters::HeaderEditor& edits)
{
    while (!lines.empty()) {
        const auto line = lines.substr(0, lines.find('\n') + 1);
        if (!edits.drops(line.substr(0, line.find(':')))) out.append(line);
        lines.remove_prefix(line.size());
    }
}

} // namespace

std::chrono::milliseconds HttpSession::answer_limit() const
{
    if (decision_.route < 0) return route::RouteSettings{}.timeout;
    return site_.routes.routes()[static_cast<std::size_t>(decision_.route)].timeout;
}

// --- the upstream connection

upstream::Target HttpSession::target_of_decision() const
{
    auto target = client_.begun;
    if (decision_.action == route::Action::forward_original && target.within == nullptr) {
        target.endpoint = client_.flow.destination;
    } else if (decision_.action == route::Action::forward_original) {
        target.host = host_;
        target.endpoint.port = head_.port.value_or(client_.secure ? https_port : http_port);
    } else if (decision_.action == route::Action::forward_pool) {
        const auto& pool = site_.pools[decision_.route < 0 ? client_.pool : plan_->pool];
        target.within = nullptr;
        target.named_by = upstream::NamedBy::configuration;
        target.pool = &pool;
        if (client_.introduction != nullptr) target.proxy_header = client_.introduction->of(pool.send_proxy);
    } else {
        target.within = nullptr;
        // A host that a binding is part of was chosen by the client, whatever the route says around it.
        target.named_by = decision_.host_from_client ? upstream::NamedBy::client : upstream::NamedBy::configuration;
        target.tls = decision_.tls;
        target.host = decision_.host;
        target.endpoint.port = decision_.port;
    }
    return target;
}

/// The client's port serves one connection at a time; those that this client needs beside it have a port of their own.
bool HttpSession::yields_port(const upstream::Target& target) const
{
    const auto has = [&](const upstream::ConnectionPtr& made) {
        return made != nullptr && upstream::serves(made->target, target);
    };
    return target.source_port != 0 && port_used_ && !has(upstream_) && !has(early_);
}

/// Whether one that serves is at hand.
bool HttpSession::has_upstream(const upstream::Target& target, bool fresh)
{
    if (upstream_ != nullptr && !upstream::serves(upstream_->target, target))
        around_.dialer.give_back(std::move(upstream_));
    if (upstream_ == nullptr && !fresh && early_ != nullptr && upstream::serves(early_->target, target))
        upstream_ = std::move(early_);
    // Late bytes of the last exchange, or of nobody's, must not become the answer to this one.
    if (upstream_ != nullptr && !upstream::is_quiet(*upstream_)) upstream_.reset();
    return upstream_ != nullptr;
}

Task<Result<>> HttpSession::dial(upstream::Target target, bool yields_its_port, bool fresh)
{
    const auto begin = Clock::now();
    auto dialled = co_await around_.dialer.dial(std::move(target), fresh);
    if (!dialled) co_return dialled.error();
    upstream_ = std::move(*dialled);
    if (upstream_->exchanges == 0) live_.dial_time = Clock::now() - begin;
    if (yields_its_port && upstream_->source == upstream::Source::kept)
        upstream_->source_fallback = "an earlier connection of this client has its port";
    co_return Result<>{};
}

void HttpSession::note_upstream()
{
    port_used_ = port_used_ || upstream_->target.source_port != 0;
    record_.upstream = live_.upstream = upstream_->remote;
    record_.reused = upstream_->exchanges > 0;
    record_.source = live_.source = upstream_->source;
    record_.source_fallback = live_.source_fallback = upstream_->source_fallback;
    ++(record_.reused ? live_.upstream_reuses : live_.upstream_connections);
}

// --- the request's head, written anew

void HttpSession::encode_request()
{
    auto& out = request_out_;
    out.clear();
    if (!decision_.target.empty())
        http::append_request_line(out, head_.method, decision_.target);
    else if (head_.form == http::TargetForm::asterisk)
        http::append_request_line(out, head_.method, "*");
    else
        http::append_request_line(out, head_.method, head_.path, head_.query);
    encode_request_fields();

    if (!head_.upgrade.empty()) {
        http::append_field(out, "Connection", "upgrade");
        http::append_field(out, "Upgrade", head_.upgrade);
    }
    if (head_.expects_continue && !body_collected_ && !body_is_here())
        http::append_field(out, "Expect", "100-continue");
    if (body_collected_ && request_body_.ended() && request_body_.trailers().empty())
        http::append_field(out, "Content-Length", collected_.size());
    else
        http::append_framing(out, head_.framing);
    http::append_end(out);
}

filters::Variables HttpSession::variables(VariableTexts& texts) const
{
    texts = {client_.flow.client.address.text(), std::to_string(client_.flow.client.port), request_id()};
    filters::Variables values;
    values.client_address = texts.address;
    values.client_port = texts.port;
    values.host = head_.authority;
    values.path = head_.path;
    values.listener = client_.flow.listener;
    values.request_id = texts.id;
    return values;
}

void HttpSession::encode_request_fields()
{
    auto& out = request_out_;
    const auto& edits = plan_->request_headers;
    // The host the upstream is asked for: its own name where the route names it, else what the client wrote.
    if (!edits.drops("Host")) {
        if (decision_.action == route::Action::forward_url)
            append_host(out, decision_.host, decision_.port, decision_.tls);
        else if (!head_.authority.empty())
            http::append_field(out, "Host", head_.authority);
        else // HTTP/1.0 without a Host: what is sent on is HTTP/1.1 and needs one
            append_host(out, client_.flow.destination.address.text(), client_.flow.destination.port, false);
    }
    for (const auto& field : head_.fields) {
        if (http::ends_here(field.name, head_.connection_options) || http::is_forwarding_field(field.name)) continue;
        if (is_written_anew(field.name) || edits.drops(field.name)) continue;
        http::append_field(out, field.name, field.value);
    }
    const http::Asked asked{client_.flow.client, client_.secure ? "https" : "http", head_.authority,
                            client_.flow.destination.port};
    if (edits.empty()) {
        http::append_forwarding(out, asked);
        if (!site_.instance.empty()) http::append_field(out, "CDN-Loop", site_.instance);
        return;
    }
    std::string lines;
    http::append_forwarding(lines, asked);
    if (!site_.instance.empty()) http::append_field(lines, "CDN-Loop", site_.instance);
    append_lines_kept(out, lines, edits);
    VariableTexts texts;
    edits.append(out, variables(texts));
}

// --- sending it

/// True while all of the request is at hand, so that it can be sent once more.
bool HttpSession::replayable() const
{
    if (!is_idempotent(head_.method)) return false;
    return (head_size_ > 0 && body_is_here()) || (body_collected_ && request_body_.ended()) ||
           head_.framing.kind == http::Framing::Kind::none;
}

/// A kept connection may be closed by the upstream at the moment it is used again: nothing was answered, so nothing is
/// lost by asking on a new one. RFC 9112 section 9.3.1.
bool HttpSession::may_try_again(const Error& error) const
{
    return upstream_ != nullptr && upstream_->exchanges > 0 && upstream_->received.empty() && replayable() &&
           error.side == Side::upstream && error.fault == Fault::closed && !response_begun_;
}

/// A request whose body was collected whole: one write.
Task<Result<>> HttpSession::send_collected_request()
{
    std::string_view body = collected_;
    std::string framed;
    if (!request_body_.trailers().empty()) {
        std::array<char, 18> size{};
        if (!body.empty()) framed.append(http::encode_chunk_size(body.size(), size)).append(body).append("\r\n");
        framed.append("0\r\n").append(request_body_.trailers()).append("\r\n");
        body = framed;
    }
    const std::array<asio::const_buffer, 2> parts{asio::buffer(request_out_),
                                                  asio::const_buffer{body.data(), body.size()}};
    co_return co_await write_all(*upstream_->stream, parts);
}

/// A request whose body is still arriving: goes on as it comes. A failure is kept, unless the answer is over and this
/// was stopped because of that. Runs beside the answer, so it closes the upstream's stream at most, and never drops it.
Task<Result<>> HttpSession::send_long_request()
{
    const auto form = head_.framing.kind == http::Framing::Kind::chunked ? BodyForm::chunked : BodyForm::plain;
    const Beginning first(std::move(request_out_), body_collected_ ? std::string_view{collected_} : "", form);
    const auto moved =
        co_await move_body(client_body(), *upstream_->stream, form, first.pieces(), record_.request_bytes, nullptr);
    if (moved) {
        request_sent_ = true;
        if (!answer_over_) upstream_->stream->expire_after(answer_limit());
        co_return Result<>{};
    }
    if (answer_over_) co_return moved.error();
    upload_failed_ = moved.error();
    // Without the client there is nobody to answer. An upstream that stopped reading may still have answered.
    if (moved.error().side == Side::client && moved.error().fault != Fault::timed_out)
        upstream_->stream->close();
    else if (moved.error().side == Side::client)
        upstream_->stream->cancel();
    co_return moved.error();
}

/// After a head with Expect: the upstream says 100, or answers, or stays silent for so long that the body may come.
Task<Result<>> HttpSession::wait_for_continue()
{
    const auto written = co_await write_all(*upstream_->stream, asio::buffer(request_out_));
    if (!written) co_return written.error();
    request_out_.clear();
    upstream_->stream->expire_after(continue_limit);
    waiting_for_continue_ = true;
    const auto answered = co_await read_response_head();
    waiting_for_continue_ = false;
    if (answered) co_return Result<>{}; // a final response, or 100
    const bool silent = answered.error().fault == Fault::timed_out && answered.error().side == Side::upstream;
    if (!silent) co_return answered.error();
    constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    continue_passed_ = true;
    client_.stream.expire_after(site_.settings.body_idle_limit);
    co_return co_await write_all(client_.stream, asio::buffer(go_on));
}

// --- request and response

Task<Result<HttpSession::Next>> HttpSession::receive_answer()
{
    if (response_.status == 0) {
        const auto sent_at = Clock::now();
        const auto answered = co_await read_response_head();
        if (!answered) co_return answered.error();
        const auto answered_at = Clock::now();
        record_.upstream_wait = answered_at - sent_at;
        if (live_.first_answer_at == Clock::time_point{}) live_.first_answer_at = answered_at;
    }
    if (response_is_here()) co_return co_await respond_at_once();
    co_return co_await respond();
}

Task<Result<HttpSession::Next>> HttpSession::converse()
{
    response_.status = 0;
    response_head_size_ = 0;
    refused_status_ = 0;
    upload_begun_ = answer_over_ = false;
    if (body_collected_ ? !request_body_.ended() : !body_is_here()) co_return co_await converse_at_length();
    upstream_->stream->expire_after(answer_limit());
    if (body_collected_) {
        const auto sent = co_await send_collected_request();
        if (!sent) co_return sent.error();
    } else {
        const auto body = body_here();
        record_.request_bytes = body.size();
        const std::array<asio::const_buffer, 2> parts{asio::buffer(request_out_),
                                                      asio::const_buffer{body.data(), body.size()}};
        const std::span<const asio::const_buffer> both{parts.data(), body.empty() ? 1U : 2U};
        if (const auto left = write_at_once(*upstream_->stream, both); left > 0) {
            const auto sent = co_await write_rest(*upstream_->stream, both, left);
            if (!sent) co_return sent.error();
        }
    }
    request_sent_ = true;
    const auto next = co_await receive_answer();
    if (next && refused_status_ != 0) co_return co_await conclude(next);
    co_return settled(next);
}

/// A request whose body is not here yet.
Task<Result<HttpSession::Next>> HttpSession::converse_at_length()
{
    pin_head();
    if (head_.expects_continue && !continue_passed_) {
        const auto told = co_await wait_for_continue();
        if (!told) co_return told.error();
        if (response_.status != 0) { // refused before the body was sent
            const auto next = co_await respond();
            co_return co_await conclude(next);
        }
    }
    co_return co_await converse_both_ways();
}

/// Body out and answer in at the same time: an upstream may answer before it has read everything, and one that waits
/// for its answer to be taken must not be waited for.
Task<Result<HttpSession::Next>> HttpSession::converse_both_ways()
{
    using namespace asio::experimental::awaitable_operators;
    upstream_->stream->expire_after(answer_limit());
    upload_begun_ = true;
    auto upload = send_long_request();
    auto download = [](HttpSession& self) -> Task<Result<Next>> {
        auto next = co_await self.receive_answer();
        // The answer is over: a body that nobody wants any more is not waited for.
        self.answer_over_ = true;
        if (!self.request_sent_) {
            self.upstream_->stream->close();
            self.client_.stream.cancel();
        }
        co_return next;
    }(*this);
    auto both = co_await (std::move(upload) && std::move(download));
    auto& [sent, next] = both;
    if (!next && upload_failed_ && upload_failed_->side == Side::client) co_return *upload_failed_;
    co_return co_await conclude(next);
}

/// What must wait until nothing uses the upstream or reads from the client any more: the answer of the engine's
/// refusal, and what becomes of the upstream connection.
Task<Result<HttpSession::Next>> HttpSession::conclude(Result<Next> next)
{
    if (next && refused_status_ != 0) {
        upstream_.reset();
        co_return co_await answer_refusal(refused_status_);
    }
    co_return settled(std::move(next));
}

Result<HttpSession::Next> HttpSession::settled(Result<Next> next)
{
    if (next && *next != Next::upgraded) settle_upstream();
    return next;
}

Task<Result<HttpSession::Next>> HttpSession::forward()
{
    for (bool again = false;; again = true) {
        auto target = target_of_decision();
        if (target.within != nullptr && target.host.empty()) {
            Error nameless{Fault::denied, Side::client, "nothing says where it was going: the request has no Host", {}};
            co_return co_await answer_error(std::move(nameless));
        }
        const bool yields = yields_port(target);
        if (yields) target.source_port = 0;
        if (!has_upstream(target, again)) {
            const auto dialled = co_await dial(std::move(target), yields, again);
            if (!dialled) co_return co_await answer_error(dialled.error());
        }
        note_upstream();
        encode_request();
        auto next = co_await converse();
        if (next) co_return next;
        if (response_begun_) {
            // What was promised cannot be kept. Only a reset tells the client that it has not got everything.
            upstream_.reset();
            client_.stream.close(true);
            co_return next.error();
        }
        const bool may_again = !again && may_try_again(next.error());
        upstream_.reset();
        if (!may_again) co_return co_await answer_error(next.error());
    }
}

} // namespace gw::proxy
