#include "tests/bench/exchange.h"

#include "tests/bench/pattern.h"

#include <cstdlib>
#include <strings.h>

namespace gw::bench {

namespace {

constexpr std::size_t max_head_bytes = 16 * 1024;

std::string number_in_eight_bytes(std::uint64_t number)
{
    std::string bytes(8, '\0');
    for (int i = 7; i >= 0; --i, number >>= 8) bytes[static_cast<std::size_t>(i)] = static_cast<char>(number & 0xff);
    return bytes;
}

std::string http_request(const Wish& wish)
{
    std::string text = wish.upload_bytes > 0 ? "POST " : "GET ";
    text += wish.target.empty() ? "/b/" + std::to_string(wish.size_bytes) : wish.target;
    text += " HTTP/1.1\r\nHost: " + wish.host + "\r\n" + wish.fields;
    if (wish.upload_bytes > 0) text += "Content-Length: " + std::to_string(wish.upload_bytes) + "\r\n";
    if (wish.close) text += "Connection: close\r\n";
    return text + "\r\n";
}

/// A message is never twice the same: an answer to an earlier one is seen.
std::string message(const Wish& wish, std::uint64_t number)
{
    auto text = number_in_eight_bytes(number);
    if (wish.size_bytes > text.size()) text += pattern().at(number, wish.size_bytes - text.size());
    return text;
}

} // namespace

std::string field_of(std::string_view head, std::string_view name)
{
    while (!head.empty()) {
        const auto end = std::min(head.find("\r\n"), head.size());
        const auto line = head.substr(0, end);
        head.remove_prefix(std::min(end + 2, head.size()));
        if (line.size() <= name.size() || line[name.size()] != ':') continue;
        if (::strncasecmp(line.data(), name.data(), name.size()) != 0) continue;
        const auto value = line.substr(name.size() + 1);
        const auto begin = value.find_first_not_of(' ');
        return begin == std::string_view::npos ? "" : std::string(value.substr(begin));
    }
    return "";
}

Exchange::Exchange(const Wish& wish, std::uint64_t number) : wish_(&wish)
{
    switch (wish.kind) {
    case Kind::http: request_ = http_request(wish); break;
    case Kind::echo: request_ = message(wish, number); break;
    case Kind::stream: request_ = number_in_eight_bytes(wish.size_bytes); break;
    }
    in_body_ = wish.kind != Kind::http;
    body_bytes_ = wish.kind == Kind::echo ? request_.size() : wish.size_bytes;
}

Exchange::State Exchange::wrong(std::string why)
{
    why_ = std::move(why);
    return State::wrong;
}

Exchange::State Exchange::take(std::string_view bytes) { return in_body_ ? take_body(bytes) : take_head(bytes); }

Exchange::State Exchange::take_head(std::string_view bytes)
{
    head_ += bytes;
    const auto end = head_.find("\r\n\r\n");
    if (end == std::string::npos) return head_.size() > max_head_bytes ? wrong("a head without an end") : State::more;
    const std::string body = head_.substr(end + 4);
    head_.resize(end + 2);
    if (!head_.starts_with("HTTP/1.1 ")) return wrong("not an answer: " + head_.substr(0, 40));
    if (const int status = std::atoi(head_.c_str() + 9); status != wish_->status)
        return wrong("status " + std::to_string(status));
    in_body_ = true;
    // Of an answer that the gateway itself gives, a refusal, only the status is known.
    const bool from_origin = wish_->status == 200;
    const auto length = field_of(head_, "content-length");
    if (length.empty()) return wrong("no content-length");
    body_bytes_ = std::strtoull(length.c_str(), nullptr, 10);
    if (from_origin && body_bytes_ != wish_->size_bytes) return wrong("content-length " + length);
    if (const auto source = field_of(head_, "x-source");
        from_origin && !wish_->expect_source.empty() && source != wish_->expect_source)
        return wrong("the origin saw " + source + " as the client");
    return take_body(body);
}

Exchange::State Exchange::take_body(std::string_view bytes)
{
    if (offset_ + bytes.size() > body_bytes_) return wrong("more bytes than announced");
    const bool known = wish_->kind != Kind::http || wish_->status == 200;
    const bool fits = wish_->kind == Kind::echo ? std::string_view(request_).substr(offset_, bytes.size()) == bytes
                                                : !known || pattern().fits(offset_, bytes);
    if (!fits) return wrong("another byte than was sent, after " + std::to_string(offset_));
    offset_ += bytes.size();
    return offset_ == body_bytes_ ? State::complete : State::more;
}

Exchange::State Exchange::end()
{
    return wrong("closed after " + std::to_string(in_body_ ? offset_ : head_.size()) +
                 (in_body_ ? " bytes of the body" : " bytes of the head"));
}

} // namespace gw::bench
