#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/task.h"

#include <array>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <memory>
#include <vector>

namespace gw {

class Watched;
class Wakeup;

/// Who of an io_context's sockets can be read or written. Asio asks the kernel before each wait, and each wait of it is
/// an operation with an allocation and a turn of the loop; here what the kernel said once is remembered. One epoll set,
/// edge-triggered, that the io_context itself waits for while anybody waits here. Belongs to one thread.
class Poller final : public asio::execution_context::service {
public:
    using key_type = Poller;
    static inline asio::execution_context::id id;

    explicit Poller(asio::execution_context& context);
    ~Poller() override;
    /// The one of the io_context behind `executor`.
    static Poller& of(const asio::any_io_executor& executor);

private:
    friend class Watched;
    friend class Wakeup;
    using Waiter = asio::any_completion_handler<void(boost::system::error_code)>;
    struct Slot {
        Watched* watched = nullptr; // null: free
        std::uint32_t turn = 0;     // how often it was given away; an event of an earlier holder is nobody's
    };
    struct Ready {
        Waiter waiter;
        boost::system::error_code failed;
    };

    void shutdown() noexcept override;
    void watch(Watched& watched, std::uint32_t events);
    void forget(Watched& watched) noexcept;
    void note(std::uint64_t whose, std::uint32_t events);
    void begin_wait(Waiter& waiter, Waiter& handler);
    void resume(Waiter& waiter, boost::system::error_code failed);
    void resume_ready();
    void arm();
    void turn();

    asio::io_context& io_;
    Descriptor epoll_;
    std::unique_ptr<asio::posix::stream_descriptor> events_; // the same, as Asio sees it
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_slots_;
    std::vector<Ready> ready_;
    std::size_t waiting_ = 0;
    std::uint64_t arming_ = 0; // the wait of the io_context that counts
    bool armed_ = false;
    bool resuming_ = false; // `ready_` is being gone through, or will be
};

/// For one who waits for whatever comes first of two sockets, which were told to wake it: `Watched::wake`. What
/// came is said by their marks; it may also be that one of them was aborted or closed.
class Wakeup {
public:
    explicit Wakeup(Poller& poller) noexcept : poller_(poller) {}
    ~Wakeup();
    Wakeup(const Wakeup&) = delete;
    Wakeup& operator=(const Wakeup&) = delete;

    /// Until one of them wakes it. What it said before that is in the marks: look at them first.
    auto wait()
    {
        auto begin = [this](auto&& handler) {
            Poller::Waiter erased{std::forward<decltype(handler)>(handler)};
            poller_.begin_wait(waiter_, erased);
            poller_.arm();
        };
        return asio::async_initiate<decltype(as_outcome), void(boost::system::error_code)>(std::move(begin),
                                                                                           as_outcome);
    }

private:
    friend class Poller;
    friend class Watched;
    Poller& poller_;
    Poller::Waiter waiter_;
    std::array<Watched*, 2> sockets_{}; // that know of it
};

/// One socket, and who waits for it: one reader and one writer at most.
class Watched {
    auto wait(Poller::Waiter& waiter, bool reads)
    {
        auto begin = [this, &waiter, reads](auto&& handler) {
            const bool may_be_cancelled = asio::get_associated_cancellation_slot(handler).is_connected();
            begin_wait(waiter, std::forward<decltype(handler)>(handler), reads, may_be_cancelled);
        };
        return asio::async_initiate<decltype(as_outcome), void(boost::system::error_code)>(std::move(begin),
                                                                                           as_outcome);
    }

public:
    /// What a wait is told: `edge`, that something came since it was last found empty; `level`, that something is
    /// there, for listening sockets, where taking one connection says nothing about the next.
    enum class Trigger : std::uint8_t { edge, level };

    Watched(Poller& poller, Descriptor socket, Trigger trigger = Trigger::edge);
    ~Watched() { close(); }
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;

    int number() const noexcept { return socket_.number(); }
    bool is_open() const noexcept { return socket_.is_open(); }
    Poller& poller() const noexcept { return poller_; }

    /// False: nothing came since a read found nothing more. True: something may be there, or the end, or an error.
    bool maybe_readable() const noexcept { return maybe_readable_; }
    /// A read found nothing (EAGAIN).
    void found_empty() noexcept { maybe_readable_ = false; }
    /// A read found less than it had room for: there is nothing more, unless the end follows.
    void found_less() noexcept { maybe_readable_ = hung_up_; }
    /// False: a write found no room, and nothing was said of it since.
    bool maybe_writable() const noexcept { return maybe_writable_; }
    /// A write found no room (EAGAIN).
    void found_full() noexcept;
    /// The other side has ended, or the socket failed.
    bool hung_up() const noexcept { return hung_up_; }

    /// Until something comes: bytes, the end, an error. Only after a read that found nothing. Fails with
    /// `operation_aborted` after `abort` or `close`, and with what epoll_ctl says.
    auto readable() { return wait(reader_, true); }
    /// The same for who has no coroutine.
    using Waiter = Poller::Waiter;
    void when_readable(Waiter then) { begin_wait(reader_, std::move(then), true, false); }
    /// Until there is room; a connection that is being made: until it is there, or failed. Only after EAGAIN or
    /// EINPROGRESS.
    auto writable() { return wait(writer_, false); }

    /// All that comes wakes `whom` from now on, until one of both ends or this is closed. It has room for two sockets.
    void wake(Wakeup& whom);

    /// The socket, out of its poller, for another one. The only call for any thread: while nobody waits here, and
    /// nobody else calls. What stays behind is closed, and ends on its own thread.
    Descriptor give_up() noexcept;

    /// What waits now fails, later, in a turn of its own.
    void abort() noexcept;
    void close() noexcept;

private:
    friend class Poller;
    friend class Wakeup;
    static constexpr std::uint32_t no_slot = ~std::uint32_t{0};

    void begin_wait(Poller::Waiter& waiter, Poller::Waiter handler, bool reads, bool may_be_cancelled);
    std::uint32_t wanted(bool room) const noexcept;
    void abort(Poller::Waiter& waiter) noexcept;

    Poller& poller_;
    Descriptor socket_;
    Poller::Waiter reader_;
    Poller::Waiter writer_;
    Wakeup* wakes_ = nullptr;
    std::uint32_t slot_ = no_slot;
    std::uint32_t events_ = 0; // that epoll was asked for
    Trigger trigger_;
    bool maybe_readable_ = true;
    bool maybe_writable_ = true;
    bool hung_up_ = false;
};

} // namespace gw
