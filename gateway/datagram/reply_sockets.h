#pragma once

#include "gateway/datagram/outbox.h"
#include "gateway/datagram/raw_sockets.h"

#include <chrono>
#include <list>
#include <string>
#include <unordered_map>
#include <vector>

namespace gw::datagram {

/// Sends to clients in the name of the destinations they sent to. One socket for each port does that for every
/// destination: transparent, and bound to that port of an address to which nothing is ever sent, so it cannot catch
/// what clients send, neither here nor past us; each message names the address it is to come from. Where a program of
/// this host holds the port at every address, a raw socket sends.
class ReplySockets {
public:
    /// `limit`: how many may be opened here; the one unused for longest goes first.
    ReplySockets(RawSockets& raw, std::size_t limit) : raw_(raw), limit_(limit) {}
    void set_limit(std::size_t limit) { limit_ = limit; }

    /// One that somebody with more privileges opened, for a port below 1024. `key` names it. Stays open until
    /// `keep_only` leaves it out: others may want the port.
    void add(std::string key, const Endpoint& bound, Descriptor socket);
    void keep_only(const std::vector<std::string>& keep);

    Sent send(const Endpoint& from, const Endpoint& client, std::span<const Outgoing> all, bool& segments,
              std::chrono::steady_clock::time_point now);
    /// Closes what was not used since `before`.
    void close_unused(std::chrono::steady_clock::time_point before);
    std::size_t size() const { return given_.size() + kept_.size(); }

private:
    struct Kept {
        std::uint32_t port; ///< and the family
        Descriptor socket;  ///< none: the port cannot be had
        std::chrono::steady_clock::time_point used;
    };
    int socket_for(const Endpoint& from, std::chrono::steady_clock::time_point now);
    Sent send_raw(const Endpoint& from, const Endpoint& client, std::span<const Outgoing> all);

    struct Given {
        std::string key;
        std::uint32_t port;
        Descriptor socket;
    };
    RawSockets& raw_;
    std::size_t limit_;
    std::vector<Given> given_;
    std::unordered_map<std::uint32_t, int> given_by_port_;
    std::list<Kept> kept_; // used last: at the front
    std::unordered_map<std::uint32_t, std::list<Kept>::iterator> by_port_;
};

} // namespace gw::datagram
