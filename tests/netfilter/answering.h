#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/endpoint.h"

#include <atomic>
#include <functional>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/time.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace gw::netfilter::testing {

inline Endpoint endpoint(const std::string& text) { return Endpoint::parse(text).value(); }

inline void set_option(int socket, int level, int option, int value)
{
    ::setsockopt(socket, level, option, &value, sizeof value);
}

inline void make_transparent(int socket, bool v6)
{
    set_option(socket, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, 1);
}

inline Endpoint name_of(int socket)
{
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size);
    return from_sockaddr(name);
}

/// A listening socket of the namespace this thread is in.
inline Descriptor listen_at(const Endpoint& at, bool transparent)
{
    sockaddr_storage name{};
    const auto size = to_sockaddr(at, name);
    Descriptor socket(::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    set_option(socket.number(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (transparent) make_transparent(socket.number(), at.address.is_v6());
    const bool listens =
        ::bind(socket.number(), reinterpret_cast<sockaddr*>(&name), size) == 0 && ::listen(socket.number(), 128) == 0;
    return listens ? std::move(socket) : Descriptor();
}

/// Accepts on its sockets and answers each line with one of its own, made by `answer` from the accepted socket and its
/// client. Keeps connections until the client closes them.
class Answering {
public:
    using Answer = std::function<std::string(int socket, const Endpoint& client)>;

    Answering(std::vector<Descriptor> listeners, Answer answer)
        : listeners_(std::move(listeners)), answer_(std::move(answer)), thread_([this] { run(); })
    {}
    ~Answering() { stop(); }

    /// Closes its sockets, as a process that ends does.
    void stop()
    {
        stopped_ = true;
        if (thread_.joinable()) thread_.join();
        listeners_.clear();
        open_.clear();
    }

private:
    struct Open {
        Descriptor socket;
        Endpoint client;
    };

    void run()
    {
        while (!stopped_) {
            std::vector<pollfd> waiting;
            for (const auto& listener : listeners_) waiting.push_back({listener.number(), POLLIN, 0});
            for (const auto& each : open_) waiting.push_back({each.socket.number(), POLLIN, 0});
            if (::poll(waiting.data(), waiting.size(), 20) <= 0) continue;
            for (std::size_t at = waiting.size(); at-- > listeners_.size();)
                if (waiting[at].revents != 0) serve(at - listeners_.size());
            for (std::size_t at = 0; at < listeners_.size(); ++at)
                if (waiting[at].revents != 0) accept_from(listeners_[at].number());
        }
    }
    void accept_from(int listener)
    {
        sockaddr_storage name{};
        socklen_t size = sizeof name;
        Descriptor socket(::accept4(listener, reinterpret_cast<sockaddr*>(&name), &size, SOCK_CLOEXEC));
        if (socket.is_open()) open_.push_back({std::move(socket), from_sockaddr(name)});
    }
    void serve(std::size_t index)
    {
        char line[256];
        Open& each = open_[index];
        if (::recv(each.socket.number(), line, sizeof line, 0) > 0) {
            const auto text = answer_(each.socket.number(), each.client) + '\n';
            if (::send(each.socket.number(), text.data(), text.size(), MSG_NOSIGNAL) > 0) return;
        }
        open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
    }

    std::vector<Descriptor> listeners_;
    Answer answer_;
    std::vector<Open> open_;
    std::atomic<bool> stopped_{false};
    std::thread thread_;
};

/// One line sent, the line that came back; "no answer" when the connection broke.
inline std::string say_hello(int socket)
{
    if (::send(socket, "hello\n", 6, MSG_NOSIGNAL) != 6) return "no answer";
    char line[256];
    const auto size = ::recv(socket, line, sizeof line, 0);
    if (size <= 1) return "no answer";
    return std::string(line, static_cast<std::size_t>(size) - 1);
}

/// A connection from the namespace this thread is in; not open when it was refused or took more than a second.
/// `as`: the address to bind, like an upstream socket that keeps the client's.
inline Descriptor connect_to(const Endpoint& to, const Address* as = nullptr, std::uint32_t mark = 0)
{
    sockaddr_storage name{};
    auto size = to_sockaddr(to, name);
    Descriptor socket(::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval limit{1, 0};
    ::setsockopt(socket.number(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    ::setsockopt(socket.number(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (mark != 0) set_option(socket.number(), SOL_SOCKET, SO_MARK, static_cast<int>(mark));
    if (as != nullptr) {
        sockaddr_storage own{};
        const auto own_size = to_sockaddr({*as, 0}, own);
        make_transparent(socket.number(), as->is_v6());
        set_option(socket.number(), SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        if (::bind(socket.number(), reinterpret_cast<sockaddr*>(&own), own_size) != 0) return Descriptor();
    }
    if (::connect(socket.number(), reinterpret_cast<sockaddr*>(&name), size) != 0) return Descriptor();
    return socket;
}

} // namespace gw::netfilter::testing
