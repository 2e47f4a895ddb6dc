#pragma once

#include "waf/processes.h"
#include "waf/wire.h"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>

namespace gw::waf {

class Connections;

/// The way to one inspector.
struct Connection {
    Connection(asio::io_context& io, DeadlineWheel& wheel, Processes::Fresh fresh);

    std::uint64_t number;
    asio::local::stream_protocol::socket socket;
    Deadline deadline; ///< of the phase in flight
    bool alive = true;
    bool busy = false;
    bool hung = false; ///< the deadline passed
    Deadline::Clock::time_point busy_since{};
    std::uint64_t answered = 0;
    std::vector<std::uint64_t> ended; ///< transactions to be told as over with the next frame
    std::string out;
    std::string in;
};
using ConnectionPtr = std::shared_ptr<Connection>;

/// A connection that is busy for its holder. Given back whole with `finish`; dropped otherwise, and its inspector
/// ended: nobody knows what it was doing.
class Lease {
public:
    Lease() = default;
    Lease(Connections& owner, ConnectionPtr connection) : owner_(&owner), connection_(std::move(connection)) {}
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&& other) noexcept;
    ~Lease();

    explicit operator bool() const { return connection_ != nullptr; }
    const ConnectionPtr& connection() const { return connection_; }
    /// `leaving`: the inspector ends by itself, there is nothing to use again.
    void finish(bool leaving);

private:
    Connections* owner_ = nullptr;
    ConnectionPtr connection_;
};

/// All connections of one worker, and who waits for one.
class Connections {
public:
    /// One that has been busy so long does not count on: another inspector is made when all are.
    static constexpr std::chrono::milliseconds patience{50};

    Connections(asio::io_context& io, DeadlineWheel& wheel, std::shared_ptr<Processes> processes);
    ~Connections();
    Connections(const Connections&) = delete;
    Connections& operator=(const Connections&) = delete;

    /// Waits in order for a connection; for `wanted` while that one lives and moves. Errors: `refused`: the queue is
    /// full; `timed_out`: none in time.
    Task<Result<Lease>> acquire(ConnectionPtr wanted);

    /// Those who wait for work and whose inspectors have gone: when one is found so, others may be.
    void drop_dead();

    Processes& processes() { return *processes_; }

private:
    friend class Lease;
    struct Waiter {
        Waiter(Connections& owner, ConnectionPtr for_this);
        ~Waiter();
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;
        Connections& owner;
        ConnectionPtr wanted;
        asio::steady_timer timer;
        Lease lease;
    };

    ConnectionPtr idle(const ConnectionPtr& wanted) const;
    Lease lend(ConnectionPtr connection);
    void give_back(Connection& connection);
    void drop(Connection& connection, bool failed);
    void serve_waiting();
    void grow();
    void look_at_queue();
    bool is_stuck(const Connection& connection) const;
    bool is_surplus() const;

    asio::io_context& io_;
    DeadlineWheel& wheel_;
    std::shared_ptr<Processes> processes_;
    std::size_t most_;
    std::vector<ConnectionPtr> connections_;
    std::list<Waiter*> waiting_;
    Deadline queue_look_; // while anyone waits: look every so often whether all are stuck
    Deadline::Clock::time_point last_grown_{};
};

/// Sends one frame and waits for the answer, within the settings' deadline.
/// Errors: `closed`: it was gone before it could begin (nothing is lost: take another); `system`: it died;
/// `timed_out`: it hangs; `malformed`.
Task<Result<Answer>> exchange(Connection& connection, std::string_view frame, std::chrono::milliseconds limit);

} // namespace gw::waf
