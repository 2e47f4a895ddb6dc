#pragma once

#include "gateway/link/link.h"

#include <boost/asio/steady_timer.hpp>
#include <list>
#include <memory>
#include <vector>

namespace gw::keeper {

/// Earlier keepers of this service that still carry connections. Each ends with its last one, or when nobody holds the
/// other end of its link any more: the keeper that serves holds them all, and leaves them to its successor.
class Predecessors {
public:
    explicit Predecessors(asio::io_context& io) : io_(io), gone_(io) {}

    void add(Descriptor link);
    bool none() const { return links_.empty(); }
    /// For a successor, which holds them from then on.
    std::vector<Descriptor> copies() const;
    /// The successor holds them.
    void release();
    /// Tells them that idle connections are to end, others after what they are doing.
    Task<void> drain();
    /// Returns when all have ended, or at this moment.
    Task<void> see_off(std::chrono::steady_clock::time_point until);

private:
    Task<void> follow(std::shared_ptr<link::Link> link);

    asio::io_context& io_;
    asio::steady_timer gone_; // who waits for the last one waits for its cancellation
    std::list<std::shared_ptr<link::Link>> links_;
};

} // namespace gw::keeper
