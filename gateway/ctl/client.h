#pragma once

#include "gateway/base/result.h"
#include "gateway/ctl/exit.h"

#include <chrono>
#include <csignal>
#include <string>
#include <string_view>

namespace gw::ctl {

/// What gatewayd answered; any status.
struct Answer {
    int status = 0;
    std::string body;
};

/// No answer is larger: 10,000 routes or 100,000 connections are some ten MiB.
inline constexpr std::size_t max_answer_bytes = 128 * 1024 * 1024;

/// Asks gatewayd over its Unix socket: HTTP/1.1, one request a connection, blocking, each with a deadline. Pure to its
/// caller but for the socket: keeps nothing between calls.
class Client {
public:
    explicit Client(std::string socket_path) : path_(std::move(socket_path)) {}

    /// Signals come through only while waiting, under `mask`, and end the call with `closed`. Must outlive this.
    void interruptible(const sigset_t& mask) { wait_mask_ = &mask; }

    /// `target`: path and query, percent-encoded. `limit` bounds all of it, the connection included.
    /// Errors, whose `what` is for the user as it is: `refused` (nobody listens: not running), `denied` (no permission
    /// for the socket), `timed_out`, `closed` (it ended too early, or a signal came), `malformed` (not HTTP),
    /// `too_large`, `system`.
    Result<Answer> ask(std::string_view method, std::string_view target,
                       std::chrono::milliseconds limit = std::chrono::seconds(10), std::string_view body = {}) const;

private:
    std::string path_;
    const sigset_t* wait_mask_ = nullptr;
};

Exit exit_for(const Error& error);

/// A path and its query: name=value, percent-encoded. An empty value is left out.
class Query {
public:
    explicit Query(std::string path) : text_(std::move(path)) {}
    Query& add(std::string_view name, std::string_view value);
    const std::string& text() const { return text_; }

private:
    std::string text_;
    bool first_ = true;
};

} // namespace gw::ctl
