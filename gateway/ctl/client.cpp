#include "gateway/ctl/client.h"

#include "gateway/base/descriptor.h"
#include "gateway/http/body.h"
#include "gateway/http/message.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace gw::ctl {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t read_bytes = 64 * 1024;
constexpr http::Limits head_limits{};

Error failure(Fault fault, std::string what) { return {fault, Side::gateway, std::move(what)}; }

Error not_http(const std::string& path, const std::string& why)
{
    return failure(Fault::malformed, "what answers at " + path + " is not gatewayd: " + why);
}

/// Who may use the socket, as its file says.
std::string who_may(const std::string& path)
{
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) return "run as root, or as a member of the group that admin.group names";
    std::array<char, 4096> memory{};
    group entry{};
    group* named = nullptr;
    const bool has_group = found.st_gid != 0 && (found.st_mode & S_IWGRP) != 0;
    if (has_group) ::getgrgid_r(found.st_gid, &entry, memory.data(), memory.size(), &named);
    if (named == nullptr) return "run as root; no group may use it (admin.group)";
    const std::string name{named->gr_name};
    return "run as root, or join group " + name + ": `usermod -aG " + name + " USER` as root, then log in again";
}

Error connect_error(const std::string& path, int cause)
{
    switch (cause) {
    case ENOENT:
        return failure(Fault::refused,
                       "gatewayd is not running (no socket " + path + "); start it with `systemctl start gateway`");
    case ECONNREFUSED:
        return failure(Fault::refused, "gatewayd is not running (nobody listens at " + path +
                                           "); start it with `systemctl start gateway`");
    case EACCES:
    case EPERM: return failure(Fault::denied, "no permission for " + path + "; " + who_may(path));
    case EAGAIN: return failure(Fault::timed_out, "gatewayd is too busy to accept a connection at " + path);
    default: return failure(Fault::system, "connect to " + path + ": " + std::strerror(cause));
    }
}

/// One connection and the time it has.
class Exchange {
public:
    Exchange(const std::string& path, const sigset_t* mask, Clock::time_point until)
        : path_(path), mask_(mask), until_(until)
    {}

    Result<> connect();
    Result<> write(std::string_view bytes);
    /// At least one byte appended; false at the end of the stream.
    Result<bool> read_into(std::string& received);

private:
    Result<> wait(short events);

    const std::string& path_;
    const sigset_t* mask_;
    Clock::time_point until_;
    Descriptor socket_;
};

Result<> Exchange::connect()
{
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (path_.empty() || path_.size() >= sizeof name.sun_path)
        return failure(Fault::system, "\"" + path_ + "\" cannot be a socket's name (1 to 107 bytes)");
    std::memcpy(name.sun_path, path_.data(), path_.size());
    socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_.is_open()) return system_error("make a socket");
    if (::connect(socket_.number(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
        return connect_error(path_, errno);
    return {};
}

Result<> Exchange::wait(short events)
{
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(until_ - Clock::now()).count();
    if (left <= 0)
        return failure(Fault::timed_out, "gatewayd does not answer at " + path_ + " (it may hang; see its log)");
    pollfd entry{socket_.number(), events, 0};
    const timespec limit{left / 1'000'000'000, left % 1'000'000'000};
    if (::ppoll(&entry, 1, &limit, mask_) >= 0) return {};
    return mask_ && errno == EINTR ? failure(Fault::closed, "interrupted")
           : errno == EINTR        ? Result<>{}
                                   : system_error("poll");
}

Result<> Exchange::write(std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto count = ::send(socket_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(count));
        } else if (errno == EAGAIN) {
            if (const auto ready = wait(POLLOUT); !ready) return ready.error();
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return {}; // it may have answered before it closed: read that
        } else if (errno != EINTR) {
            return system_error("write to " + path_);
        }
    }
    return {};
}

Result<bool> Exchange::read_into(std::string& received)
{
    for (;;) {
        const auto before = received.size();
        received.resize(before + read_bytes);
        const auto count = ::recv(socket_.number(), received.data() + before, read_bytes, 0);
        received.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        if (count > 0) return true;
        if (count == 0 || errno == ECONNRESET) return false;
        if (errno != EAGAIN && errno != EINTR) return system_error("read from " + path_);
        if (const auto ready = wait(POLLIN); !ready) return ready.error();
    }
}

Error ended_early()
{
    return failure(Fault::closed, "gatewayd closed the connection before it had answered; see its log");
}

/// Reads until the head is whole, past any interim response. Takes it away from `received`.
Result<http::Framing> read_head(Exchange& exchange, std::string_view method, const std::string& path,
                                std::string& received, int& status)
{
    http::ResponseHead head;
    for (;;) {
        const auto parsed = http::parse_response_head(received, method, head_limits, head);
        if (!parsed) return not_http(path, parsed.error().what);
        if (const auto* complete = std::get_if<http::Complete>(&*parsed)) {
            status = head.status;
            const auto framing = head.framing;
            received.erase(0, complete->size_bytes);
            if (status == 101) return not_http(path, "it changed to another protocol");
            if (status >= 200) return framing;
            continue;
        }
        const auto more = exchange.read_into(received);
        if (!more) return more.error();
        if (!*more) return ended_early();
    }
}

Result<> read_body(Exchange& exchange, const http::Framing& framing, const std::string& path, std::string& received,
                   std::string& body)
{
    http::BodyReader reader(Side::gateway);
    reader.restart(framing);
    std::size_t at = 0;
    while (!reader.ended()) {
        const auto piece = reader.next(std::string_view(received).substr(at));
        if (!piece) return not_http(path, piece.error().what);
        body.append(received, at + piece->skip_bytes, piece->content_bytes);
        const auto used = piece->skip_bytes + piece->content_bytes + piece->after_bytes;
        if (body.size() > max_answer_bytes) return failure(Fault::too_large, "the answer exceeds 128 MiB");
        if (piece->ended) return {};
        at += used;
        if (used != 0 && at < received.size()) continue;
        received.erase(0, at);
        at = 0;
        const auto more = exchange.read_into(received);
        if (!more) return more.error();
        if (*more) continue;
        return reader.at_end_of_stream() ? Result<>{} : ended_early();
    }
    return {};
}

bool stays(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~:/,").find(c) != std::string_view::npos;
}

} // namespace

Result<Answer> Client::ask(std::string_view method, std::string_view target, std::chrono::milliseconds limit,
                           std::string_view body) const
{
    Exchange exchange(path_, wait_mask_, Clock::now() + limit);
    if (const auto connected = exchange.connect(); !connected) return connected.error();
    std::string request(method);
    request.append(" ").append(target).append(" HTTP/1.1\r\nHost: gatewayd\r\nAccept: */*\r\n");
    if (method != "GET") request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    request.append("Connection: close\r\n\r\n").append(body);
    if (const auto written = exchange.write(request); !written) return written.error();

    Answer answer;
    std::string received;
    const auto framing = read_head(exchange, method, path_, received, answer.status);
    if (!framing) return framing.error();
    if (const auto read = read_body(exchange, *framing, path_, received, answer.body); !read) return read.error();
    return answer;
}

Exit exit_for(const Error& error)
{
    switch (error.fault) {
    case Fault::refused: return Exit::unreachable;
    case Fault::denied: return Exit::not_allowed;
    default: return Exit::failed;
    }
}

Query& Query::add(std::string_view name, std::string_view value)
{
    constexpr std::string_view hex = "0123456789ABCDEF";
    if (value.empty()) return *this;
    text_ += first_ ? '?' : '&';
    first_ = false;
    text_.append(name).append("=");
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (stays(c))
            text_ += c;
        else
            text_.append({'%', hex[byte >> 4], hex[byte & 15]});
    }
    return *this;
}

} // namespace gw::ctl
