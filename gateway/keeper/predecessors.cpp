#include "gateway/keeper/predecessors.h"

#include "gateway/base/end_on_bug.h"
#include "gateway/base/log.h"

#include <boost/asio/co_spawn.hpp>

namespace gw::keeper {

namespace {

constexpr auto drain_limit = std::chrono::seconds{1}; // for one of them to take in that it is to drain

} // namespace

void Predecessors::add(Descriptor link)
{
    links_.push_back(std::make_shared<link::Link>(io_, std::move(link)));
    asio::co_spawn(io_, follow(links_.back()), end_on_bug);
}

/// Nothing more is said by it, only its end is.
Task<void> Predecessors::follow(std::shared_ptr<link::Link> link)
{
    const auto silence = co_await link->receive();
    (void)silence;
    if (links_.remove(link) == 0) co_return; // a successor follows it
    log::info("upgrade: a process before this one has ended");
    if (links_.empty()) gone_.cancel();
}

std::vector<Descriptor> Predecessors::copies() const
{
    std::vector<Descriptor> copies;
    for (const auto& link : links_) copies.push_back(link->copy());
    return copies;
}

void Predecessors::release()
{
    for (const auto& link : std::exchange(links_, {})) link->close();
}

Task<void> Predecessors::drain()
{
    const auto all = links_;
    for (const auto& link : all) {
        link::Message order;
        order.kind = link::Kind::drain;
        const auto until = std::chrono::steady_clock::now() + drain_limit;
        const auto told = co_await link->send(std::move(order), until);
        (void)told;
    }
}

Task<void> Predecessors::see_off(std::chrono::steady_clock::time_point until)
{
    if (none()) co_return;
    gone_.expires_at(until);
    auto outcome = co_await gone_.async_wait(as_outcome);
    (void)outcome;
}

} // namespace gw::keeper
