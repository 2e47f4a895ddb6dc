#pragma once

#include "gateway/session/worker.h"

#include <arpa/inet.h>
#include <future>
#include <gtest/gtest.h>
#include <mutex>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>

// Two workers on real sockets of loopback, so that what crosses threads is run by the thread sanitizer.

namespace gw::session {
namespace {

using namespace std::chrono_literals;

GenerationPtr generation(std::uint64_t number, std::string to = {},
                         const std::function<void(proxy::Settings&)>& change = {})
{
    intake::ListenerSettings listener;
    listener.name = "web";
    listener.bind = {*Endpoint::parse("127.0.0.1:0")};
    listener.protocol = intake::Protocol::http;
    listener.client_address = intake::ClientAddress::gateway;
    listener.otherwise = intake::Otherwise::deny;
    route::RouteSettings route;
    route.host = "_";
    route.to = to.empty() ? "respond:200 number " + std::to_string(number) : std::move(to);
    proxy::Site site{
        std::get<route::Table>(route::Table::build({route})), std::vector<proxy::RoutePlan>(1), {}, {}, {}};
    auto made =
        std::make_shared<Generation>(Generation{number,
                                                {listener},
                                                std::move(site),
                                                nullptr,
                                                std::make_shared<upstream::Guard>(nullptr, std::vector<Endpoint>{}),
                                                *tls::DialContext::make({false, {}}),
                                                {},
                                                {},
                                                {},
                                                {}});
    made->session.access.format = AccessLog::Format::off;
    made->upstream.idle_own = 0ms;
    if (change) change(made->site.settings);
    return made;
}

/// Answers whatever it is asked, over as many connections as there are.
class Upstream {
public:
    Upstream() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof at;
        auto* name = reinterpret_cast<sockaddr*>(&at);
        EXPECT_EQ(::bind(listener_.number(), name, length), 0);
        EXPECT_EQ(::getsockname(listener_.number(), name, &length), 0);
        EXPECT_EQ(::listen(listener_.number(), 64), 0);
        port_ = ntohs(at.sin_port);
        acceptor_ = std::thread{[this] {
            for (;;) {
                const int accepted = ::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC);
                if (accepted < 0) return;
                ++connections;
                answerers_.emplace_back([socket = Descriptor{accepted}] {
                    constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                    char part[2048];
                    while (::recv(socket.number(), part, sizeof part, 0) > 0)
                        if (::send(socket.number(), answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return;
                });
            }
        }};
    }
    /// After the workers have closed their connections.
    ~Upstream()
    {
        ::shutdown(listener_.number(), SHUT_RDWR);
        acceptor_.join();
        for (auto& each : answerers_) each.join();
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

    std::atomic<int> connections{0};

private:
    Descriptor listener_;
    std::uint16_t port_ = 0;
    std::thread acceptor_;
    std::vector<std::thread> answerers_;
};

class WorkerTest : public ::testing::Test {
protected:
    WorkerTest()
    {
        AccessLog off;
        off.format = AccessLog::Format::off;
        log.send_to(off);
        for (std::size_t i = 0; i < 2; ++i)
            workers.push_back(std::make_unique<Worker>(i, gate, refusals, log, idle, "t" + std::to_string(i) + "."));
    }
    void adopt(const GenerationPtr& next, std::vector<std::vector<intake::ListeningSocket>> added)
    {
        added.resize(workers.size());
        std::vector<std::promise<void>> done(workers.size());
        for (std::size_t i = 0; i < workers.size(); ++i)
            workers[i]->adopt(next, std::move(added[i]), {"web " + bound.text()}, [&, i] { done[i].set_value(); });
        for (auto& each : done) each.get_future().wait();
    }
    void listen(const GenerationPtr& first = generation(1))
    {
        auto opened = intake::open_listener(first->listeners[0], workers.size(), first->intake, 0);
        ASSERT_TRUE(opened);
        bound = opened->front().bound;
        std::vector<std::vector<intake::ListeningSocket>> added(workers.size());
        for (auto& socket : *opened) added[socket.worker].push_back(std::move(socket));
        adopt(first, std::move(added));
    }
    Counters counters()
    {
        Counters sum;
        for (auto& worker : workers) {
            std::promise<Counters> answer;
            worker->count([&](Counters each) { answer.set_value(std::move(each)); });
            sum.add(answer.get_future().get());
        }
        return sum;
    }
    /// A new connection over which a request has been sent; closed when that was not possible.
    Descriptor asking(std::string_view request) const
    {
        Descriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        sockaddr_storage name{};
        const auto length = to_sockaddr(bound, name);
        const timeval limit{5, 0};
        ::setsockopt(socket.number(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        if (::connect(socket.number(), reinterpret_cast<sockaddr*>(&name), length) != 0) return {};
        if (::send(socket.number(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return {};
        return socket;
    }
    /// A connection that has had its answer and is kept.
    Descriptor answered_and_kept() const
    {
        auto socket = asking("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        char part[2048];
        EXPECT_GT(::recv(socket.number(), part, sizeof part, 0), 0);
        return socket;
    }
    /// One request over a new connection; the answer, or nothing when there was none.
    std::string ask() const { return rest_of(asking(last_request)); }
    static std::string rest_of(const Descriptor& socket)
    {
        std::string answer;
        char part[512];
        for (ssize_t count = 0; (count = ::recv(socket.number(), part, sizeof part, 0)) > 0;)
            answer.append(part, static_cast<std::size_t>(count));
        return answer;
    }

    static constexpr std::string_view last_request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    /// Connections that are in the queues when `order` is given to the workers.
    std::vector<Descriptor> in_the_queues(const std::function<void(Worker&)>& order)
    {
        std::promise<void> go;
        const auto gone = go.get_future().share();
        // Each waits before anybody comes: one that has seen somebody but not yet begun to wait accepts him first.
        for (auto& worker : workers) {
            std::promise<void> waits;
            worker->beat([gone, &waits] {
                waits.set_value();
                gone.wait();
            });
            waits.get_future().wait();
        }
        std::vector<Descriptor> connected;
        for (int i = 0; i < 50; ++i) connected.push_back(asking(last_request));
        for (auto& worker : workers) order(*worker);
        go.set_value();
        return connected;
    }
    Gate gate{1'000};
    std::vector<std::string> said; // of those turned away
    std::mutex said_mutex;
    Refusals refusals{[this](const std::string& line) {
        const std::lock_guard lock{said_mutex};
        said.push_back(line);
    }};
    LogWriter log;
    upstream::IdleShare idle{2};
    std::vector<std::unique_ptr<Worker>> workers;
    Endpoint bound;
};

} // namespace
} // namespace gw::session
