#include "gateway/proxy/http_session.h"

#include <cassert>

namespace gw::proxy {

waf::RequestView HttpSession::request_view(std::string_view body) const
{
    waf::RequestView view;
    view.client = client_.flow.client;
    view.destination = client_.flow.destination;
    view.method = head_.method;
    view.target = head_.target;
    view.minor_version = head_.minor_version;
    view.fields = head_.fields;
    view.body = body;
    return view;
}

/// Reads the body as far as the engine looks. False: it is longer than that.
Task<Result<bool>> HttpSession::collect_for_inspection()
{
    pin_head();
    if (head_.expects_continue && !continue_passed_) {
        constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        continue_passed_ = true;
        const auto written = co_await write_all(client_.stream, asio::buffer(go_on));
        if (!written) co_return written.error();
    }
    const auto ended = co_await collect_body(client_body(), site_.waf.request_max_bytes, collected_, around_.memory);
    if (!ended) co_return ended.error();
    body_collected_ = true;
    record_.request_bytes = collected_.size();
    co_return *ended;
}

/// 0, or the status to refuse the request with.
Task<Result<int>> HttpSession::inspect_request()
{
    std::string_view body;
    if (body_is_here() && head_size_ > 0) {
        body = body_here();
        if (body.size() > site_.waf.request_max_bytes) {
            if (site_.waf.over_limit == waf::OverLimit::reject && record_.waf_mode == waf::Mode::block) co_return 413;
            body = body.substr(0, site_.waf.request_max_bytes);
        }
    } else if (head_.framing.kind != http::Framing::Kind::none) {
        const bool refuse_long = site_.waf.over_limit == waf::OverLimit::reject && record_.waf_mode == waf::Mode::block;
        if (refuse_long && head_.framing.length_bytes > site_.waf.request_max_bytes) co_return 413;
        const auto whole = co_await collect_for_inspection();
        if (!whole) co_return whole.error();
        if (collected_.size() > site_.waf.request_max_bytes && refuse_long) co_return 413;
        body = std::string_view{collected_}.substr(0, site_.waf.request_max_bytes);
    }
    // The inspector is sent a copy.
    if (around_.memory != nullptr && !around_.memory->take(body.size())) co_return short_of_memory();
    const auto view = request_view(body);
    record_.request_verdict = co_await inspection_->request(view);
    const auto& verdict = *record_.request_verdict;
    if (!verdict.refuse) co_return 0;
    co_return verdict.action == waf::Verdict::Action::block ? 403 : 503;
}

/// 0, or the status to answer with instead of the response.
Task<Result<int>> HttpSession::inspect_response(std::string_view body)
{
    waf::ResponseView view;
    view.status = response_.status;
    view.minor_version = response_.minor_version;
    view.fields = response_.fields;
    view.body = body;
    record_.response_verdict = co_await inspection_->response(view);
    const auto& verdict = *record_.response_verdict;
    if (!verdict.refuse) co_return 0;
    co_return verdict.action == waf::Verdict::Action::block ? 403 : 503;
}

/// True when response rules have a body to look at: a type they know, and not compressed.
bool HttpSession::response_body_is_inspected() const
{
    if (!response_has_body()) return false;
    const auto* encoding = response_.find("Content-Encoding");
    if (encoding != nullptr && !http::same_name(encoding->value, "identity")) return false;
    const auto* type = response_.find("Content-Type");
    return type != nullptr && waf::inspects_response_type(type->value);
}

/// The head goes to memory of its own, so that views of it outlive what is read of the body.
void HttpSession::pin_response()
{
    pinned_response_.assign(upstream_->received.view().substr(0, response_head_size_));
    upstream_->received.consume(response_head_size_);
    response_head_size_ = 0;
    const auto parsed = http::parse_response_head(pinned_response_, head_.method, upstream_limits(), response_);
    assert(parsed); // the same bytes again
    (void)parsed;
}

} // namespace gw::proxy
