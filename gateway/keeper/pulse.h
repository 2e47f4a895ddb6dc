#pragma once

#include "netfilter/heartbeat.h"

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace gw::keeper {

/// Goes on with the heartbeat while the keeper's thread is busy with something long, such as a rule set of a hundred
/// thousand networks or programs of iptables. While it is not, beats are the keeper's own. A thread of its own, which
/// stops with the process: one that is frozen or dead does not beat.
class Pulse {
public:
    struct Limits {
        std::chrono::milliseconds interval{250};
        std::chrono::milliseconds late{500};       ///< without a turn of the keeper's thread for so long, it is busy
        std::chrono::milliseconds silent{1'000};   ///< it had its turns for so long without a beat: nobody serves
        std::chrono::milliseconds longest{10'000}; ///< after the keeper's last beat there is none from here any more
    };

    /// `io`: whose turns are those of the keeper. Outlives this. `heartbeats`: what beats.
    Pulse(boost::asio::io_context& io, std::vector<netfilter::Heartbeat> heartbeats)
        : Pulse(io, std::move(heartbeats), Limits{})
    {}
    Pulse(boost::asio::io_context& io, std::vector<netfilter::Heartbeat> heartbeats, const Limits& limits);
    ~Pulse();
    Pulse(const Pulse&) = delete;
    Pulse& operator=(const Pulse&) = delete;

    /// How many there are.
    std::size_t heartbeats() const;
    /// The keeper has just beaten.
    void beaten();
    /// No beat comes from here until the keeper has beaten again.
    void rest();

private:
    struct State; // a turn of `io` may come when this has gone
    std::shared_ptr<State> state_;
    std::thread thread_;
};

} // namespace gw::keeper
