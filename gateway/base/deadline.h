#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace gw {

class DeadlineWheel;
class Poller;

/// A point in time after which something is called once. Moving it is one store: no system call, no allocation. It is
/// late by at most two ticks of its wheel and never early. Belongs to one thread, as its wheel does.
class Deadline {
public:
    using Clock = std::chrono::steady_clock;
    using Expired = void (*)(void* owner) noexcept;

    Deadline(DeadlineWheel& wheel, Expired expired, void* owner) : wheel_(wheel), expired_(expired), owner_(owner) {}
    ~Deadline() { unlink(); }
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

    /// Arms, or moves. `at` may be earlier or later than before.
    void expire_at(Clock::time_point at);
    void expire_after(Clock::duration limit) { expire_at(Clock::now() + limit); }
    void disarm() { at_ = Clock::time_point::max(); }
    Clock::time_point at() const { return at_; }

private:
    friend class DeadlineWheel;
    void unlink();

    DeadlineWheel& wheel_;
    Expired expired_;
    void* owner_;
    Clock::time_point at_ = Clock::time_point::max();
    std::size_t slot_ = 0;
    Deadline* next_ = nullptr;
    Deadline** link_ = nullptr; // who points at us; null: not in the wheel
};

/// All deadlines of one thread. One timer of the io_context serves them all, and only while there are any.
class DeadlineWheel {
public:
    static constexpr std::chrono::milliseconds tick{50};

    explicit DeadlineWheel(boost::asio::any_io_executor executor);
    ~DeadlineWheel();
    DeadlineWheel(const DeadlineWheel&) = delete;
    DeadlineWheel& operator=(const DeadlineWheel&) = delete;

    /// Of the same thread.
    Poller& poller() const noexcept { return poller_; }

    /// Stops ticking; nothing expires any more. Call before the io_context is left.
    void stop();

private:
    friend class Deadline;
    static constexpr std::size_t slot_count = 1024; // 51 s a turn; what is later is looked at once a turn

    void insert(Deadline& deadline);
    void remove(Deadline& deadline);
    void start();
    void turn();

    boost::asio::steady_timer timer_;
    Poller& poller_;
    std::array<Deadline*, slot_count> slots_{};
    std::size_t armed_ = 0;
    std::uint64_t now_tick_ = 0;
    Deadline::Clock::time_point epoch_ = Deadline::Clock::now();
    bool ticking_ = false;
    bool stopped_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

} // namespace gw
