#pragma once

#include "tests/support/lab_network.h"

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace gw::lab {

/// A UDP socket of a test, in one of its namespaces.
class DatagramSocket {
public:
    /// Bound to `at` (port 0: any). Fails the test when the address cannot be had.
    DatagramSocket(const Namespace& where, const Endpoint& at);

    Endpoint name() const;
    int number() const { return socket_.number(); }
    void connects(const Endpoint& to);
    bool sends(const Endpoint& to, std::string_view bytes);

    struct Received {
        Endpoint from;
        std::string bytes;
    };
    /// The next datagram; none when none comes in time.
    std::optional<Received> receives(Milliseconds limit = patience);
    /// errno that an ICMP message brought; 0: none came in time.
    int hears_error(Milliseconds limit = patience);

private:
    Descriptor socket_;
};

/// A UDP server that answers every datagram with what `answer` makes of it; none: no answer.
class DatagramServer {
public:
    using Answer = std::function<std::optional<std::string>(const DatagramSocket::Received&)>;
    DatagramServer(const Namespace& where, std::string_view at, Answer answer);
    ~DatagramServer();

    std::size_t count() const { return count_; }
    /// Waits for that many.
    bool receives(std::size_t count) const;
    /// How many came from each address, ports left out.
    std::map<std::string, std::size_t> senders() const;
    std::map<Endpoint, std::size_t> sender_ports() const;

private:
    DatagramSocket socket_;
    Answer answer_;
    std::atomic<std::size_t> count_{0};
    mutable std::mutex mutex_;
    std::map<Endpoint, std::size_t> senders_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

/// Answers with the same bytes.
DatagramServer::Answer echoes_datagrams();

} // namespace gw::lab
