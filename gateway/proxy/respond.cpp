#include "gateway/proxy/http_session.h"

#include "gateway/http/encode.h"

#include <algorithm>

namespace gw::proxy {

namespace {

constexpr int max_interim_responses = 16;
constexpr std::size_t rest_read_bytes = 16 * 1024;

/// Status line and fields of a response that has no body, up to those that are ours.
void begin_bodiless(std::string& out, const http::ResponseHead& response)
{
    out.clear();
    http::append_status_line(out, response.status, response.reason);
    for (const auto& field : response.fields)
        if (!http::ends_here(field.name, response.connection_options) && !http::same_name(field.name, "Content-Length"))
            http::append_field(out, field.name, field.value);
}

} // namespace

/// An upstream's head may be larger than a client's: it is ours, or what we were asked to reach; still bounded.
http::Limits HttpSession::upstream_limits() const
{
    auto limits = site_.settings.limits;
    limits.fields = std::max<std::size_t>(limits.fields, 256);
    return limits;
}

Task<Result<>> HttpSession::read_response_head()
{
    auto& received = upstream_->received;
    int interim = 0;
    for (;;) {
        if (!received.empty()) {
            const auto parsed = http::parse_response_head(received.view(), head_.method, upstream_limits(), response_);
            if (!parsed) {
                response_.status = 0;
                co_return parsed.error();
            }
            if (const auto* complete = std::get_if<http::Complete>(&*parsed)) {
                response_head_size_ = complete->size_bytes;
                if (response_.status >= 200 || response_.status == 101) co_return Result<>{};
                if (++interim > max_interim_responses)
                    co_return Error{Fault::malformed, Side::upstream, "too many interim responses", {}};
                const bool go_on = response_.status == 100;
                const auto passed = co_await pass_interim();
                received.consume(response_head_size_);
                response_.status = 0;
                if (!passed) co_return passed.error();
                if (go_on && waiting_for_continue_) co_return Result<>{};
                continue;
            }
        }
        response_.status = 0;
        const auto into = received.prepare(rest_read_bytes);
        if (into.size() == 0) co_return Error{Fault::too_large, Side::upstream, "response head", {}};
        auto count = co_await upstream_->stream->read_some(into);
        if (!count) co_return count.error();
        if (*count == 0) co_return Error{Fault::closed, Side::upstream, "connection ended before a response", {}};
        received.commit(*count);
    }
}

/// 100 to a client that waits for it, 103 and others to any of HTTP/1.1. RFC 9110 section 15.2.
Task<Result<>> HttpSession::pass_interim()
{
    if (head_.minor_version == 0) co_return Result<>{};
    if (response_.status == 100) {
        if (!head_.expects_continue || continue_passed_) co_return Result<>{};
        continue_passed_ = true;
    }
    auto& out = response_out_;
    begin_bodiless(out, response_);
    http::append_end(out);
    client_.stream.expire_after(site_.settings.body_idle_limit);
    co_return co_await write_all(client_.stream, asio::buffer(out));
}

bool HttpSession::response_has_body() const
{
    if (response_.framing.kind == http::Framing::Kind::none) return false;
    return response_.framing.kind != http::Framing::Kind::length || response_.framing.length_bytes > 0;
}

/// HTTP/1.0 knows no chunks: there a body without a length ends with the connection.
BodyForm HttpSession::client_form() const
{
    const bool has_length = response_.framing.kind == http::Framing::Kind::length;
    return has_length || head_.minor_version == 0 ? BodyForm::plain : BodyForm::chunked;
}

bool HttpSession::client_may_keep() const
{
    if (!head_.keep_alive || is_last_answer()) return false;
    if (record_.number >= site_.settings.requests_per_connection) return false;
    if (!request_sent_) return false; // its body is still on the way; nobody will read the rest
    const auto kind = response_.framing.kind;
    const bool ends_by_itself = kind == http::Framing::Kind::none || kind == http::Framing::Kind::length;
    return ends_by_itself || head_.minor_version == 1;
}

/// Some ways to say who one is hold for the connection, not the request: RFC 4559 section 6.
bool HttpSession::asks_for_a_user() const
{
    return response_.status == 401 &&
           std::any_of(response_.fields.begin(), response_.fields.end(), [](const http::Field& field) {
               if (!http::same_name(field.name, "WWW-Authenticate")) return false;
               const auto scheme = field.value.substr(0, field.value.find(' '));
               return http::same_name(scheme, "NTLM") || http::same_name(scheme, "Negotiate");
           });
}

void HttpSession::encode_response()
{
    auto& out = response_out_;
    out.clear();
    if (asks_for_a_user()) upstream_->personal = true;
    client_keeps_ = client_may_keep();
    http::append_status_line(out, response_.status, response_.reason);
    const auto& edits = plan_->response_headers;
    const bool has_body = response_.framing.kind != http::Framing::Kind::none;
    for (const auto& field : response_.fields) {
        if (http::ends_here(field.name, response_.connection_options) || edits.drops(field.name)) continue;
        // A response to HEAD, and a 304, say how long the body would be; that is passed on as it is.
        const bool is_length = http::same_name(field.name, "Content-Length");
        if (is_length && (has_body || response_.status == 204)) continue;
        http::append_field(out, field.name, field.value);
    }
    if (!edits.empty()) {
        VariableTexts texts;
        edits.append(out, variables(texts));
    }
    if (has_body && response_.framing.kind == http::Framing::Kind::length)
        http::append_field(out, "Content-Length", response_.framing.length_bytes);
    else if (has_body && client_form() == BodyForm::chunked)
        http::append_field(out, "Transfer-Encoding", "chunked");
    if (!client_keeps_)
        http::append_field(out, "Connection", "close");
    else if (head_.minor_version == 0)
        http::append_field(out, "Connection", "keep-alive");
    http::append_end(out);
}

Task<Result<HttpSession::Next>> HttpSession::pass_upgrade()
{
    if (head_.upgrade.empty() || !request_sent_)
        co_return Error{Fault::malformed, Side::upstream, "101 that was not asked for", {}};
    auto& out = response_out_;
    begin_bodiless(out, response_);
    http::append_field(out, "Connection", "upgrade");
    http::append_field(out, "Upgrade", response_.upgrade.empty() ? head_.upgrade : response_.upgrade);
    http::append_end(out);
    response_begun_ = true;
    record_.status = response_.status;
    client_.stream.expire_after(site_.settings.body_idle_limit);
    const auto written = co_await write_all(client_.stream, asio::buffer(out));
    if (!written) co_return written.error();
    upstream_->received.consume(response_head_size_);
    finish_request_bytes();
    co_return Next::upgraded;
}

Task<Result<>> HttpSession::send_response_streaming()
{
    Tee tee;
    const bool look = inspection_ != nullptr && record_.waf_mode == waf::Mode::detect;
    if (look && response_body_is_inspected()) {
        tee.limit_bytes = site_.waf.response_max_bytes;
        pin_response();
    }
    response_body_.restart(response_.framing);
    encode_response();
    upstream_->received.consume(response_head_size_);
    response_head_size_ = 0;
    response_begun_ = true;
    record_.status = response_.status;
    if (response_.framing.kind == http::Framing::Kind::none) {
        client_.stream.expire_after(site_.settings.body_idle_limit);
        const auto written = co_await write_all(client_.stream, asio::buffer(response_out_));
        if (!written) co_return written.error();
    } else {
        const asio::const_buffer head = asio::buffer(response_out_);
        const auto moved = co_await move_body(upstream_body(), client_.stream, client_form(), {&head, 1},
                                              record_.response_bytes, &tee);
        if (!moved) co_return moved.error();
    }
    // Detection holds nothing back: it looks at what has gone out already.
    if (look && tee.limit_bytes > 0) {
        const auto status = co_await inspect_response(tee.bytes);
        (void)status;
    }
    co_return Result<>{};
}

/// What was collected for inspection goes out with the head, then the rest as it comes.
Task<Result<>> HttpSession::send_response_collected()
{
    encode_response();
    response_begun_ = true;
    record_.status = response_.status;
    record_.response_bytes = collected_response_.size();
    const auto form = client_form();
    const Beginning first(std::move(response_out_), collected_response_, form);
    co_return co_await move_body(upstream_body(), client_.stream, form, first.pieces(), record_.response_bytes,
                                 nullptr);
}

/// All of it was read with its head, and nobody looks into it: as most are.
bool HttpSession::response_is_here() const
{
    if (inspection_ != nullptr || response_.status == 101) return false;
    if (response_.framing.kind == http::Framing::Kind::none) return true;
    return response_.framing.kind == http::Framing::Kind::length &&
           upstream_->received.size() - response_head_size_ >= response_.framing.length_bytes;
}

/// One write.
Task<Result<HttpSession::Next>> HttpSession::respond_at_once()
{
    record_.served = true;
    response_body_.restart(response_.framing);
    encode_response();
    response_begun_ = true;
    record_.status = response_.status;
    const auto body = upstream_->received.view().substr(
        std::exchange(response_head_size_, 0),
        response_has_body() ? static_cast<std::size_t>(response_.framing.length_bytes) : 0);
    const std::array<asio::const_buffer, 2> parts{asio::buffer(response_out_),
                                                  asio::const_buffer{body.data(), body.size()}};
    const std::span<const asio::const_buffer> both{parts.data(), body.empty() ? 1U : 2U};
    client_.stream.expire_after(site_.settings.body_idle_limit);
    if (const auto left = write_at_once(client_.stream, both); left > 0) {
        const auto written = co_await write_rest(client_.stream, both, left);
        if (!written) co_return written.error();
    }
    if (!body.empty()) {
        const auto ended = response_body_.next(body);
        if (!ended) co_return ended.error();
    }
    record_.response_bytes = body.size();
    upstream_->received.consume(
        static_cast<std::size_t>(body.data() + body.size() - upstream_->received.view().data()));
    co_return client_keeps_ ? Next::keep : Next::close;
}

Task<Result<HttpSession::Next>> HttpSession::respond()
{
    record_.served = true;
    if (response_.status == 101) co_return co_await pass_upgrade();

    bool collected = false;
    if (inspection_ != nullptr && record_.waf_mode == waf::Mode::block) {
        if (response_body_is_inspected()) {
            pin_response();
            response_body_.restart(response_.framing);
            const auto ended = co_await collect_body(upstream_body(), site_.waf.response_max_bytes, collected_response_,
                                                     around_.memory);
            if (!ended) co_return ended.error();
            collected = true;
        }
        const auto body = std::string_view{collected_response_}.substr(0, site_.waf.response_max_bytes);
        const auto status = co_await inspect_response(body);
        if (!status) co_return status.error();
        if (*status != 0) {
            refused_status_ = *status;
            co_return Next::close;
        }
    }
    if (collected) {
        const auto sent = co_await send_response_collected();
        if (!sent) co_return sent.error();
    } else {
        const auto sent = co_await send_response_streaming();
        if (!sent) co_return sent.error();
    }
    co_return client_keeps_ ? Next::keep : Next::close;
}

/// After a whole exchange: the connection is kept when both messages ended by themselves, else closed.
void HttpSession::settle_upstream()
{
    const bool ended = response_.framing.kind == http::Framing::Kind::none || response_body_.ended();
    const bool reusable = response_.keep_alive && request_sent_ && ended && upstream_->received.empty() &&
                          response_.framing.kind != http::Framing::Kind::until_close;
    if (reusable)
        ++upstream_->exchanges;
    else
        upstream_.reset();
}

} // namespace gw::proxy
