#include "gateway/base/deadline.h"

#include "gateway/base/poller.h"

#include <algorithm>

namespace gw {

void Deadline::expire_at(Clock::time_point at)
{
    at_ = at;
    if (at == Clock::time_point::max()) return;
    // Already waiting in a slot that comes up no later: the wheel looks at `at_` there and moves it on. Otherwise now.
    if (link_ != nullptr) {
        const auto due = wheel_.epoch_ + wheel_.tick * static_cast<std::int64_t>(slot_);
        if (due <= at) return;
        wheel_.remove(*this);
    }
    wheel_.insert(*this);
}

void Deadline::unlink()
{
    if (link_ != nullptr) wheel_.remove(*this);
}

DeadlineWheel::DeadlineWheel(boost::asio::any_io_executor executor) : timer_(executor), poller_(Poller::of(executor)) {}

DeadlineWheel::~DeadlineWheel() { *alive_ = false; }

void DeadlineWheel::stop()
{
    stopped_ = true;
    timer_.cancel();
}

// `slot_` of a waiting deadline holds the absolute tick it waits for; the array index is that modulo slot_count.
void DeadlineWheel::insert(Deadline& deadline)
{
    // While nothing was armed the wheel stood still, and no slot has to be visited for that time.
    if (!ticking_) now_tick_ = static_cast<std::uint64_t>((Deadline::Clock::now() - epoch_) / tick);
    const auto since = std::max(deadline.at_ - epoch_, Deadline::Clock::duration::zero());
    const auto due = static_cast<std::uint64_t>((since + tick - Deadline::Clock::duration{1}) / tick);
    deadline.slot_ = std::clamp(due, now_tick_ + 1, now_tick_ + slot_count - 1);
    auto*& head = slots_[deadline.slot_ % slot_count];
    deadline.next_ = head;
    if (head != nullptr) head->link_ = &deadline.next_;
    head = &deadline;
    deadline.link_ = &head;
    ++armed_;
    if (!ticking_) start();
}

void DeadlineWheel::remove(Deadline& deadline)
{
    *deadline.link_ = deadline.next_;
    if (deadline.next_ != nullptr) deadline.next_->link_ = deadline.link_;
    deadline.next_ = nullptr;
    deadline.link_ = nullptr;
    --armed_;
}

void DeadlineWheel::start()
{
    if (stopped_) return;
    ticking_ = true;
    timer_.expires_at(epoch_ + tick * static_cast<std::int64_t>(now_tick_ + 1));
    timer_.async_wait([this, alive = alive_](boost::system::error_code stopped) {
        if (stopped || !*alive) return;
        turn();
    });
}

void DeadlineWheel::turn()
{
    const auto now = Deadline::Clock::now();
    const auto reached = static_cast<std::uint64_t>((now - epoch_) / tick);
    while (now_tick_ < reached) {
        ++now_tick_;
        auto*& head = slots_[now_tick_ % slot_count];
        // Taken off one by one: what is called may arm, disarm or destroy any deadline, this one included.
        while (head != nullptr) {
            auto& deadline = *head;
            remove(deadline);
            if (deadline.at_ == Deadline::Clock::time_point::max()) continue;
            if (deadline.at_ > now) {
                insert(deadline);
                continue;
            }
            deadline.at_ = Deadline::Clock::time_point::max();
            deadline.expired_(deadline.owner_);
        }
    }
    if (armed_ > 0)
        start();
    else
        ticking_ = false;
}

} // namespace gw
