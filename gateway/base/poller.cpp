#include "gateway/base/poller.h"

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <cassert>
#include <cerrno>
#include <span>
#include <sys/epoll.h>
#include <utility>

namespace gw {

namespace {

constexpr std::size_t events_at_once = 64;
/// So often in a row the set is asked before the rest of the loop (timers, what was posted) has its turn.
constexpr int rounds_at_once = 4;

constexpr std::uint32_t hang_up_events = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t read_events = EPOLLIN | hang_up_events;
constexpr std::uint32_t write_events = EPOLLOUT | EPOLLHUP | EPOLLERR;

boost::system::error_code last_error() { return {errno, boost::system::system_category()}; }

} // namespace

// --- the set

Poller::Poller(asio::execution_context& context)
    : asio::execution_context::service(context), io_(static_cast<asio::io_context&>(context)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC))
{
    if (!epoll_.is_open()) throw boost::system::system_error(last_error(), "epoll_create1");
    events_ = std::make_unique<asio::posix::stream_descriptor>(io_, epoll_.number());
}

Poller::~Poller() = default;

Poller& Poller::of(const asio::any_io_executor& executor)
{
    auto& context = asio::query(executor, asio::execution::context);
    return asio::use_service<Poller>(static_cast<asio::io_context&>(context));
}

/// Whoever waits is part of what it waits in; it goes first.
void Poller::shutdown() noexcept
{
    std::vector<Waiter> waiters;
    for (auto& ready : ready_) waiters.push_back(std::move(ready.waiter));
    for (auto& slot : slots_) {
        if (slot.watched == nullptr) continue;
        if (slot.watched->reader_) waiters.push_back(std::move(slot.watched->reader_));
        if (slot.watched->writer_) waiters.push_back(std::move(slot.watched->writer_));
        auto* wakes = slot.watched->wakes_;
        if (wakes != nullptr && wakes->waiter_) waiters.push_back(std::move(wakes->waiter_));
    }
    ready_.clear();
    waiting_ = 0;
    waiters.clear();
    events_->release();
    events_.reset();
}

void Poller::watch(Watched& watched, std::uint32_t events)
{
    const bool is_new = watched.slot_ == Watched::no_slot;
    if (is_new) {
        if (free_slots_.empty()) {
            free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
            slots_.emplace_back();
        }
        watched.slot_ = free_slots_.back();
        free_slots_.pop_back();
        slots_[watched.slot_].watched = &watched;
    }
    epoll_event event{};
    event.events = events;
    event.data.u64 = (std::uint64_t{slots_[watched.slot_].turn} << 32) | watched.slot_;
    watched.events_ = events;
    if (::epoll_ctl(epoll_.number(), is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, watched.number(), &event) == 0) return;
    const auto failed = last_error();
    if (is_new) forget(watched);
    if (watched.reader_) resume(watched.reader_, failed);
    if (watched.writer_) resume(watched.writer_, failed);
}

/// Its events are nobody's from now on. The socket leaves the set when it is closed.
void Poller::forget(Watched& watched) noexcept
{
    if (watched.slot_ == Watched::no_slot) return;
    slots_[watched.slot_].watched = nullptr;
    ++slots_[watched.slot_].turn;
    free_slots_.push_back(watched.slot_);
    watched.slot_ = Watched::no_slot;
    watched.events_ = 0;
}

// --- who waits

void Poller::begin_wait(Waiter& waiter, Waiter& handler)
{
    assert(!waiter);
    waiter.swap(handler); // its assignment by move wraps the other in itself
    ++waiting_;
}

/// Outside of a turn: in a turn of its own, so that who aborts a wait is not itself interrupted by what comes of it.
void Poller::resume(Waiter& waiter, boost::system::error_code failed)
{
    --waiting_;
    ready_.push_back({std::move(waiter), failed});
    if (std::exchange(resuming_, true)) return;
    asio::post(io_, [this] { resume_ready(); });
}

void Poller::resume_ready()
{
    for (std::size_t i = 0; i < ready_.size(); ++i) {
        auto next = std::move(ready_[i]);
        std::move(next.waiter)(next.failed);
    }
    ready_.clear();
    resuming_ = false;
    if (waiting_ == 0 && std::exchange(armed_, false)) events_->cancel(); // an io_context ends when nobody waits
}

void Poller::note(std::uint64_t whose, std::uint32_t events)
{
    const auto& slot = slots_[static_cast<std::uint32_t>(whose)];
    if (slot.watched == nullptr || slot.turn != static_cast<std::uint32_t>(whose >> 32)) return;
    auto& watched = *slot.watched;
    const auto marks = [&watched] {
        return std::array{watched.maybe_readable_, watched.maybe_writable_, watched.hung_up_};
    };
    const auto before = marks();
    if ((events & hang_up_events) != 0) watched.hung_up_ = true;
    if ((events & read_events) != 0) {
        watched.maybe_readable_ = true;
        if (watched.reader_) {
            resume(watched.reader_, {});
        } else if (watched.trigger_ == Watched::Trigger::level) { // would be said again and again
            ::epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, watched.number(), nullptr);
            forget(watched);
        }
    }
    if ((events & write_events) != 0) {
        watched.maybe_writable_ = true;
        if (watched.writer_) resume(watched.writer_, {});
    }
    // Who waits for room while more comes to be read is not woken by each piece of it.
    if (watched.wakes_ != nullptr && watched.wakes_->waiter_ && marks() != before) resume(watched.wakes_->waiter_, {});
}

void Poller::arm()
{
    if (armed_ || waiting_ == 0) return;
    armed_ = true;
    events_->async_wait(asio::posix::stream_descriptor::wait_read, [this, turn_of = ++arming_](auto failed) {
        if (failed || turn_of != arming_) return;
        armed_ = false;
        turn();
        arm();
    });
}

void Poller::turn()
{
    std::array<epoll_event, events_at_once> events;
    for (int round = 0; round < rounds_at_once; ++round) {
        const int count = ::epoll_wait(epoll_.number(), events.data(), static_cast<int>(events.size()), 0);
        if (count <= 0) return;
        // First all that is known, then who waited for it: nobody acts on what the kernel has said otherwise by now.
        const bool was_resuming = std::exchange(resuming_, true);
        for (const auto& event : std::span{events}.first(static_cast<std::size_t>(count)))
            note(event.data.u64, event.events);
        resume_ready();
        resuming_ = was_resuming;
    }
}

Wakeup::~Wakeup()
{
    for (auto* socket : sockets_)
        if (socket != nullptr) socket->wakes_ = nullptr;
}

// --- one socket

Watched::Watched(Poller& poller, Descriptor socket, Trigger trigger)
    : poller_(poller), socket_(std::move(socket)), trigger_(trigger)
{}

void Watched::begin_wait(Poller::Waiter& waiter, Poller::Waiter handler, bool reads, bool may_be_cancelled)
{
    poller_.begin_wait(waiter, handler);
    if (may_be_cancelled)
        waiter.get_cancellation_slot().assign([this, &waiter](asio::cancellation_type) { abort(waiter); });
    if (!is_open()) {
        poller_.resume(waiter, asio::error::bad_descriptor);
        return;
    }
    const auto events = wanted(!reads);
    // Asked for room again it is told anew, whatever it was told before. Who has nothing to read was told of nothing.
    if (!reads || events != events_) poller_.watch(*this, events);
    poller_.arm();
}

/// What epoll is asked for; more than before, never less.
std::uint32_t Watched::wanted(bool room) const noexcept
{
    std::uint32_t events = events_ | EPOLLIN | EPOLLRDHUP;
    if (trigger_ == Trigger::edge) events |= EPOLLET;
    if (room) events |= EPOLLOUT;
    return events;
}

void Watched::wake(Wakeup& whom)
{
    assert(wakes_ == nullptr);
    const auto room = std::find(whom.sockets_.begin(), whom.sockets_.end(), nullptr);
    assert(room != whom.sockets_.end());
    *room = this;
    wakes_ = &whom;
    if (is_open() && slot_ == no_slot) poller_.watch(*this, wanted(false));
}

void Watched::found_full() noexcept
{
    maybe_writable_ = false;
    if (wakes_ != nullptr && is_open()) poller_.watch(*this, wanted(true));
}

void Watched::abort(Poller::Waiter& waiter) noexcept
{
    if (waiter) poller_.resume(waiter, asio::error::operation_aborted);
}

void Watched::abort() noexcept
{
    abort(reader_);
    abort(writer_);
    if (wakes_ != nullptr) abort(wakes_->waiter_);
}

void Watched::close() noexcept
{
    abort();
    if (wakes_ != nullptr) std::replace(wakes_->sockets_.begin(), wakes_->sockets_.end(), this, {});
    wakes_ = nullptr;
    poller_.forget(*this);
    socket_.reset();
}

/// What is being said of it at this moment is noted here still, and changes nothing: the marks stay behind.
Descriptor Watched::give_up() noexcept
{
    assert(!reader_ && !writer_ && wakes_ == nullptr);
    if (slot_ != no_slot) ::epoll_ctl(poller_.epoll_.number(), EPOLL_CTL_DEL, number(), nullptr);
    return std::move(socket_);
}

} // namespace gw
