#include "gateway/proxy/http_session.h"

#include "gateway/http/encode.h"

namespace gw::proxy {

namespace {

using namespace std::chrono_literals;

constexpr auto linger_limit = 2s;
constexpr std::size_t linger_bytes = 1024 * 1024;

/// What the client is told about a failure; what it was stays in the log.
int status_of(const Error& error)
{
    if (error.side == Side::client) {
        switch (error.fault) {
        case Fault::too_large: return 413;
        case Fault::timed_out: return 408;
        case Fault::denied: return 403;
        default: return 400;
        }
    }
    if (error.side == Side::upstream) return error.fault == Fault::timed_out ? 504 : 502;
    return error.fault == Fault::denied ? 502 : 503;
}

std::string_view text_of(int status)
{
    switch (status) {
    case 400: return "The request could not be understood.";
    case 403: return "The destination may not be reached through this gateway.";
    case 408: return "The request took too long to arrive.";
    case 413: return "The request's body is too large.";
    case 414: return "The request's target is too long.";
    case 431: return "The request's header fields are too large or too many.";
    case 501: return "The request uses a transfer coding that is not known here.";
    case 502: return "The server could not be reached, or gave no proper answer.";
    case 503: return "The gateway cannot serve this request now.";
    case 504: return "The server did not answer in time.";
    case 505: return "This version of HTTP is not spoken here.";
    default: return "";
    }
}

/// A body for people. `text` is ours: nothing a client sent is ever in it.
std::string page(int status, std::string_view text)
{
    std::string body{"<!doctype html><title>"};
    body.append(std::to_string(status)).append(" ").append(http::reason_phrase(status));
    body.append("</title><h1>").append(std::to_string(status)).append(" ").append(http::reason_phrase(status));
    body.append("</h1><p>").append(text).append("</p>\n");
    return body;
}

} // namespace

std::string HttpSession::request_id() const
{
    std::string id{client_.id};
    id += '-';
    id += std::to_string(record_.number);
    return id;
}

/// The gateway ends, or another configuration is in force: the client's next connection gets that.
bool HttpSession::is_last_answer() const
{
    if (around_.draining != Draining::no) return true;
    return around_.newest != nullptr && *around_.newest != around_.configuration;
}

/// True when what is left of the request's body is so little that reading it costs less than a new connection.
bool HttpSession::can_keep_after_answer() const
{
    if (!head_.keep_alive || is_last_answer()) return false;
    // Part of such a body may have been read and not sent: where the next request begins, nobody knows.
    if (upload_begun_ && !request_sent_) return false;
    if (body_is_here() || request_body_.ended()) return true;
    if (head_.expects_continue && !continue_passed_) return false; // it may come, or not
    return head_.framing.kind == http::Framing::Kind::length &&
           head_.framing.length_bytes <= site_.settings.drain_bytes && !upload_failed_;
}

Task<Result<HttpSession::Next>> HttpSession::answer(int status, std::string_view text,
                                                    std::span<const http::Field> fields)
{
    const bool keep = can_keep_after_answer();
    const auto body = text.empty() ? std::string{} : page(status, text);
    http::OwnResponse response;
    response.status = status;
    response.content_type = "text/html; charset=utf-8";
    response.body = body;
    response.fields = fields;
    response.keep_alive = keep;
    response.to_head = head_.method == "HEAD";
    response.minor_version = head_.minor_version;
    response_out_.clear();
    http::append_response(response_out_, response);

    response_begun_ = true;
    record_.status = status;
    record_.response_bytes = body.size();
    client_.stream.expire_after(site_.settings.body_idle_limit);
    const auto written = co_await write_all(client_.stream, asio::buffer(response_out_));
    if (!written) co_return written.error();
    if (!keep) co_return Next::close;
    if (body_is_here() || request_body_.ended()) co_return Next::keep;
    pin_head();
    const bool drained = co_await drain_body(client_body(), site_.settings.drain_bytes);
    co_return drained ? Next::keep : Next::close;
}

/// The engine, or its failure, said no. The client gets a number that finds the record in the log.
Task<Result<HttpSession::Next>> HttpSession::answer_refusal(int status)
{
    record_.incident = true;
    const auto id = request_id();
    std::string text = status == 413 ? "The request's body is larger than is inspected here."
                                     : "This request was refused by the gateway's rules.";
    if (status == 503) text = "This request could not be inspected, so it was not passed on.";
    text.append(" Incident: ").append(id);
    co_return co_await answer(status, text);
}

Task<Result<HttpSession::Next>> HttpSession::answer_error(Error error)
{
    const bool client_gone =
        error.side == Side::client && (error.fault == Fault::closed || error.fault == Fault::system);
    if (client_gone) co_return error;
    const auto status = status_of(error);
    record_.error = std::move(error);
    // After broken framing nobody knows where the next request begins.
    if (status == 400 || status == 408) head_.keep_alive = false;
    if (record_.error->side == Side::client && status == 413) head_.keep_alive = false;
    co_return co_await answer(status, text_of(status));
}

/// A request whose head was not understood: there is no request to keep the connection for.
Task<Result<>> HttpSession::refuse_head(int status)
{
    head_ = {};
    head_size_ = 0;
    pinned_head_.clear();
    const auto next = co_await answer(status, text_of(status));
    client_.received.consume(client_.received.size());
    if (!next) co_return next.error();
    co_await linger();
    co_return Result<>{};
}

/// Closing while bytes of the client lie unread would send a reset, and the client might lose our answer to it. So the
/// end is announced, and the client has a moment to take note. RFC 9112 section 9.6.
Task<void> HttpSession::linger()
{
    client_.stream.end_writing();
    client_.stream.expire_after(linger_limit);
    std::array<char, 4096> nowhere;
    std::size_t read = 0;
    while (read < linger_bytes) {
        const auto count = co_await client_.stream.read_some(asio::buffer(nowhere));
        if (!count || *count == 0) co_return;
        read += *count;
    }
}

} // namespace gw::proxy
