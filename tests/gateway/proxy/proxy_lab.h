#pragma once

#include "gateway/proxy/proxy.h"
#include "tests/support/memory_stream.h"

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace gw::proxy::testing {

/// What an upstream was asked, taken apart by the strict parser.
struct Asked {
    std::string raw_head;
    std::string method;
    std::string target;
    std::string body;
    std::string trailers;
    std::vector<std::pair<std::string, std::string>> fields;

    std::string field(std::string_view name) const; ///< empty: none
    std::size_t count(std::string_view name) const;
};

/// An upstream in memory. For each request it calls `reply` for the bytes to write; "" closes the connection.
struct Origin {
    std::function<std::string(const Asked&)> reply = [](const Asked&) {
        return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    };
    /// When set: called with the head alone, before any of the body was read; what it returns is written at once.
    std::function<std::string(const Asked&)> reply_to_head;
    bool close_after_reply = false;
    bool close_on_head = false; ///< goes without a word once it has read a head
    std::vector<Asked> asked;
    std::string raw; ///< all bytes of all connections
    std::size_t connections = 0;
    std::size_t max_read_bytes = SIZE_MAX;
    std::size_t capacity_bytes = SIZE_MAX; ///< unread, before a writer has to wait
    bool reads_no_body = false;            ///< answers by reply_to_head, and reads nothing more
};

/// Dials the origin; keeps what is given back, like a pool would.
class MemoryDialer final : public upstream::Dialer {
public:
    MemoryDialer(asio::io_context& io, DeadlineWheel& wheel, Origin& origin) : io_(io), wheel_(wheel), origin_(origin)
    {}
    Task<Result<upstream::ConnectionPtr>> dial(upstream::Target target, bool fresh) override;
    void give_back(upstream::ConnectionPtr connection) override;

    std::optional<Error> failure; ///< of the next dials
    std::vector<upstream::Target> targets;
    std::deque<upstream::ConnectionPtr> kept;

private:
    Task<void> serve(std::unique_ptr<gw::testing::MemoryStream> stream);
    asio::io_context& io_;
    DeadlineWheel& wheel_;
    Origin& origin_;
};

/// Says what the test tells it to; remembers what it saw.
class ScriptedInspector final : public waf::Inspector {
public:
    std::unique_ptr<waf::Inspection> begin(std::size_t policy) override;
    std::function<waf::Verdict(const waf::RequestView&)> on_request = [](const auto&) { return waf::Verdict{}; };
    std::function<waf::Verdict(const waf::ResponseView&)> on_response = [](const auto&) { return waf::Verdict{}; };
    std::vector<std::string> request_bodies;
    std::vector<std::string> response_bodies;
    int under_way = 0; ///< inspections that have begun and not ended
};

/// What a test looks at of an exchange, copied before its views die.
struct Seen {
    std::string method;
    std::string host;
    std::string target;
    int status;
    std::uint64_t request_bytes;
    std::uint64_t response_bytes;
    bool reused;
    std::optional<Error> error;
};

class ProxyTest : public ::testing::Test, public Observer {
protected:
    ProxyTest();
    void ended(const ExchangeRecord& record) override;

    void routes(std::vector<route::RouteSettings> list);

    /// Sends `bytes` as the client, at most `cut` bytes a read at the gateway, then ends the client's side, and returns
    /// all that came back.
    std::string answer_to(std::string_view bytes, std::size_t cut = SIZE_MAX);
    /// The same, but the client's side stays open until `until` says that it has seen enough.
    std::string talk(std::string_view first, std::function<std::string(const std::string& received)> next,
                     std::size_t cut = SIZE_MAX);

    asio::io_context io{1};
    DeadlineWheel wheel{io.get_executor()};
    Origin origin;
    MemoryDialer dialer{io, wheel, origin};
    ScriptedInspector inspector;
    bool inspect = false;
    std::vector<route::RouteSettings> route_list;
    std::vector<RoutePlan> plans;
    waf::Settings waf;
    Settings settings;
    Flow flow;
    Live live; ///< of the connection
    route::Action otherwise = route::Action::forward_original;
    Draining draining = Draining::no;
    std::atomic<bool> shedding{false};
    std::string instance; ///< in CDN-Loop; empty: nobody looks for loops
    std::vector<Seen> seen;
    std::optional<Error> end; ///< of the connection
    bool upgraded = false;
};

/// How often `part` stands in `text`.
inline std::size_t occurrences(std::string_view text, std::string_view part)
{
    std::size_t count = 0;
    for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++count;
    return count;
}

} // namespace gw::proxy::testing
