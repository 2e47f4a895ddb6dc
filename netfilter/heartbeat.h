#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/result.h"

#include <cstdint>

namespace gw::netfilter {

/// The socket of the beats: bound to a port of 127.0.0.1 (or ::1) that is nobody else's, and sending to itself. Our
/// rules take what comes from that port to that port for a sign of life and drop it (rules.cpp), so nothing is ever
/// received.
class Heartbeat {
public:
    /// In the network namespace of the rules. Errors: `system`.
    static Result<Heartbeat> open(bool v6 = false);
    /// One that was open before, in this process or another. Errors: `refused` when it is no such socket.
    static Result<Heartbeat> adopt(Descriptor socket);

    /// Of the same socket, for another thread. Errors: `system`.
    Result<Heartbeat> copy() const;

    std::uint16_t port() const { return port_; }
    const Descriptor& socket() const { return socket_; }
    /// One sign of life. A few microseconds, and no transaction. Errors: `system` when something on this host keeps it
    /// from arriving.
    Result<> beat();
    /// The end of the last one, as the rules of iptables know it: the same to another port. Errors: as of `beat`.
    Result<> end(std::uint16_t to_port);

private:
    Heartbeat(Descriptor socket, std::uint16_t port) : socket_(std::move(socket)), port_(port) {}

    Descriptor socket_;
    std::uint16_t port_ = 0;
};

} // namespace gw::netfilter
