// The server of the bench: one thread, all ports of it.
//   bench_origin ADDRESS
//   tcp 80    HTTP/1.1: GET /b/SIZE, or any other path for 64 bytes; POST with a body of the pattern. Says whom it saw.
//   tcp 9000  echo; tcp 9001: eight bytes, a number: so many bytes of the pattern; tcp 9002: says whom it saw, and
//   closes udp 9000  echo; a datagram "who?" is answered with whom it saw
// Ends when its standard input does, so that it never outlives what started it.

#include "tests/bench/exchange.h"
#include "tests/bench/pattern.h"
#include "tests/bench/sockets.h"

#include <array>
#include <csignal>
#include <memory>
#include <sys/epoll.h>
#include <utility>

namespace gw::bench {
namespace {

constexpr std::size_t max_waiting_bytes = 64 * 1024;
constexpr std::size_t echo_buffer_bytes = 64 * 1024;

enum class Service { http, echo, stream, who };

class Connection {
public:
    Connection(int socket, Service service, const sockaddr_in& client)
        : socket_(socket), service_(service), source_(text_of(client))
    {
        switch_on(socket, IPPROTO_TCP, TCP_NODELAY);
        if (service == Service::who) waiting_ = source_, ends_ = true;
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { ::close(socket_); }

    /// Reads, answers, writes. False: it is over.
    bool goes_on(std::uint32_t events, char* buffer, std::size_t size)
    {
        if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && waiting_.size() < max_waiting_bytes) {
            const auto count = ::recv(socket_, buffer, size, 0);
            if (count == 0 || (count < 0 && errno != EAGAIN)) return false;
            if (count > 0 && !takes({buffer, static_cast<std::size_t>(count)})) return false;
        }
        return writes();
    }
    /// What to wait for now.
    [[nodiscard]] std::uint32_t wants() const
    {
        const bool writing = !waiting_.empty() || to_stream_ > 0;
        const bool reading = waiting_.size() < max_waiting_bytes;
        return (writing ? EPOLLOUT : 0U) | (reading ? EPOLLIN : 0U);
    }
    [[nodiscard]] int socket() const { return socket_; }
    std::uint32_t armed = 0;

private:
    bool takes(std::string_view bytes)
    {
        if (service_ == Service::echo) return waiting_ += bytes, true;
        if (service_ == Service::http && body_left_ > 0) bytes = takes_body(bytes);
        if (wrong_) return false;
        received_ += bytes;
        return service_ == Service::stream ? takes_order() : takes_requests();
    }
    bool takes_order()
    {
        while (received_.size() >= 8) {
            std::uint64_t number = 0;
            for (int i = 0; i < 8; ++i)
                number = number << 8 | static_cast<unsigned char>(received_[static_cast<std::size_t>(i)]);
            received_.erase(0, 8);
            to_stream_ += number;
        }
        return true;
    }
    std::string_view takes_body(std::string_view bytes)
    {
        const auto mine = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, bytes.size())));
        wrong_ = !pattern().fits(body_offset_, mine);
        body_offset_ += mine.size();
        body_left_ -= mine.size();
        if (body_left_ == 0) answers();
        return bytes.substr(mine.size());
    }
    bool takes_requests()
    {
        for (auto end = received_.find("\r\n\r\n"); end != std::string::npos; end = received_.find("\r\n\r\n")) {
            const auto head = received_.substr(0, end + 2);
            received_.erase(0, end + 4);
            const auto path = head.find(" /b/");
            size_ = path != std::string::npos && path < head.find("\r\n")
                        ? std::strtoull(head.c_str() + path + 4, nullptr, 10)
                        : 64;
            ends_ = field_of(head, "connection") == "close";
            body_left_ = std::strtoull(field_of(head, "content-length").c_str(), nullptr, 10);
            body_offset_ = 0;
            if (body_left_ == 0) {
                answers();
            } else {
                const auto rest = std::exchange(received_, {});
                received_ = std::string(takes_body(rest));
                if (wrong_ || body_left_ > 0) break;
            }
        }
        return !wrong_;
    }
    void answers()
    {
        waiting_ += "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: ";
        waiting_ += std::to_string(size_);
        ((waiting_ += "\r\nX-Source: ") += source_) += ends_ ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n";
        if (size_ <= 4096) {
            waiting_ += pattern().at(0, size_);
        } else {
            stream_offset_ = 0;
            to_stream_ = size_;
        }
    }
    bool writes()
    {
        if (!waiting_.empty()) {
            const auto sent =
                ::send(socket_, waiting_.data(), waiting_.size(), MSG_NOSIGNAL | (to_stream_ > 0 ? MSG_MORE : 0));
            if (sent < 0) return errno == EAGAIN;
            waiting_.erase(0, static_cast<std::size_t>(sent));
            if (!waiting_.empty()) return true;
        }
        // Not for ever: the others want their turn.
        for (int turn = 0; turn < 8 && to_stream_ > 0; ++turn) {
            const auto piece = pattern().at(stream_offset_, to_stream_);
            const auto sent = ::send(socket_, piece.data(), piece.size(), MSG_NOSIGNAL);
            if (sent < 0) return errno == EAGAIN;
            stream_offset_ += static_cast<std::uint64_t>(sent);
            to_stream_ -= static_cast<std::uint64_t>(sent);
            if (to_stream_ == 0) stream_offset_ = 0;
        }
        return !(ends_ && to_stream_ == 0 && body_left_ == 0);
    }

    int socket_;
    Service service_;
    std::string source_;
    std::string received_{};
    std::string waiting_{};
    std::uint64_t to_stream_ = 0, stream_offset_ = 0;
    std::uint64_t size_ = 0, body_left_ = 0, body_offset_ = 0;
    bool ends_ = false, wrong_ = false;
};

class Origin {
public:
    explicit Origin(const std::string& address) : address_(address), poll_(::epoll_create1(EPOLL_CLOEXEC))
    {
        listens(80, Service::http);
        listens(9000, Service::echo);
        listens(9001, Service::stream);
        listens(9002, Service::who);
        udp_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        const int room = 4 * 1024 * 1024;
        ::setsockopt(udp_, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
        const auto at = address_of(address, 9000);
        if (::bind(udp_, plain(at), sizeof at) != 0) fail("bind udp 9000");
        watch(udp_, EPOLLIN, &udp_);
        watch(0, EPOLLIN, nullptr);
    }

    void run()
    {
        std::array<epoll_event, 256> events;
        for (;;) {
            const int count = ::epoll_wait(poll_, events.data(), static_cast<int>(events.size()), -1);
            for (int i = 0; i < count; ++i) {
                auto& event = events[static_cast<std::size_t>(i)];
                if (event.data.ptr == nullptr) return;
                if (event.data.ptr == &udp_)
                    echoes_datagrams();
                else if (auto* listener = listener_at(event.data.ptr))
                    accepts(*listener);
                else
                    serves(static_cast<Connection*>(event.data.ptr), event.events);
            }
        }
    }

private:
    struct Listener {
        int socket;
        Service service;
    };

    void watch(int socket, std::uint32_t events, void* data)
    {
        epoll_event event{};
        event.events = events;
        event.data.ptr = data;
        if (::epoll_ctl(poll_, EPOLL_CTL_ADD, socket, &event) != 0 && socket != 0) fail("epoll_ctl");
    }
    void listens(int port, Service service)
    {
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        switch_on(socket, SOL_SOCKET, SO_REUSEADDR);
        const auto at = address_of(address_, port);
        if (::bind(socket, plain(at), sizeof at) != 0 || ::listen(socket, 4096) != 0)
            fail("listen on port " + std::to_string(port));
        listeners_.push_back(std::make_unique<Listener>(Listener{socket, service}));
        watch(socket, EPOLLIN, listeners_.back().get());
    }
    Listener* listener_at(const void* data)
    {
        for (auto& each : listeners_)
            if (each.get() == data) return each.get();
        return nullptr;
    }
    void accepts(const Listener& listener)
    {
        for (int turn = 0; turn < 64; ++turn) {
            sockaddr_in client{};
            socklen_t size = sizeof client;
            const int socket =
                ::accept4(listener.socket, reinterpret_cast<sockaddr*>(&client), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (socket < 0) return;
            auto* made = new Connection(socket, listener.service, client);
            made->armed = made->wants();
            watch(socket, made->armed, made);
        }
    }
    void serves(Connection* connection, std::uint32_t events)
    {
        if (!connection->goes_on(events, buffer_.data(), buffer_.size())) {
            delete connection;
            return;
        }
        if (const auto wants = connection->wants(); wants != connection->armed) {
            epoll_event event{};
            event.events = connection->armed = wants;
            event.data.ptr = connection;
            ::epoll_ctl(poll_, EPOLL_CTL_MOD, connection->socket(), &event);
        }
    }
    void echoes_datagrams()
    {
        for (int turn = 0; turn < 64; ++turn) {
            sockaddr_in client{};
            socklen_t size = sizeof client;
            const auto count =
                ::recvfrom(udp_, buffer_.data(), buffer_.size(), 0, reinterpret_cast<sockaddr*>(&client), &size);
            if (count < 0) return;
            std::string_view answer{buffer_.data(), static_cast<std::size_t>(count)};
            const auto source = text_of(client);
            if (answer == "who?") answer = source;
            ::sendto(udp_, answer.data(), answer.size(), 0, plain(client), size);
        }
    }

    std::string address_;
    int poll_;
    int udp_ = -1;
    std::vector<std::unique_ptr<Listener>> listeners_{};
    std::vector<char> buffer_ = std::vector<char>(echo_buffer_bytes);
};

} // namespace
} // namespace gw::bench

int main(int argc, char** argv)
{
    if (argc != 2) {
        std::fputs("usage: bench_origin ADDRESS\n", stderr);
        return 2;
    }
    ::signal(SIGPIPE, SIG_IGN);
    gw::bench::Origin origin(argv[1]);
    std::puts("ready");
    std::fflush(stdout);
    origin.run();
}
