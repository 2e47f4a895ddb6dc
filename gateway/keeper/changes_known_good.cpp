// Whether what came into force lasts; then a later start may fall back to it.
#include "gateway/base/end_on_bug.h"
#include "gateway/base/log.h"
#include "gateway/keeper/changes.h"

#include <boost/asio/co_spawn.hpp>
#include <ctime>

namespace gw::keeper {

using namespace std::chrono_literals;

void Changes::began()
{
    came_into_force(0);
    asio::co_spawn(io_, remember_start(), end_on_bug);
    asio::co_spawn(io_, watch_first_seconds(true), end_on_bug);
}

Task<void> Changes::remember_start()
{
    const auto* history = archive_.history();
    if (history == nullptr) co_return;
    if (!boot_.reason().empty()) {
        number_ = boot_.fallback().number;
        good_ = true;
        co_return;
    }
    Stored stored{0, std::time(nullptr), "start", in_force_.loaded->sources};
    auto writing = [history, stored = std::move(stored)]() mutable {
        const auto saved = save(history, stored);
        return std::pair{stored.number, saved ? std::string{} : saved.error().what};
    };
    const auto generation = in_force_.generation;
    const auto written = co_await archive_.aside(std::move(writing));
    if (generation != in_force_.generation) co_return;
    number_ = written.first;
    not_saved_ = written.second;
    if (!not_saved_.empty()) log::error("what is in force is not kept for later starts: " + not_saved_);
}

Task<void> Changes::mark_good(std::uint64_t number)
{
    const auto* history = archive_.history();
    if (history == nullptr || number == 0) co_return;
    auto marking = [history, number] {
        const auto marked = history->mark_good(number);
        return marked ? std::string{} : marked.error().what;
    };
    const auto wrong = co_await archive_.aside(std::move(marking));
    if (!wrong.empty()) log::error("state directory: " + wrong);
}

/// Whether what has come into force lasts. `began`: with it the gateway began, and there may be something better.
Task<void> Changes::watch_first_seconds(bool began)
{
    const auto generation = in_force_.generation;
    const auto first_restarts = data_.restarts();
    auto restarts = first_restarts;
    auto since = std::chrono::steady_clock::now();
    good_ = began && !boot_.reason().empty();
    while (std::chrono::steady_clock::now() - since < settings_.good_after) {
        co_await pause(100ms);
        if (stopping_ || generation != in_force_.generation || pending_) co_return;
        if (data_.restarts() == restarts) continue;
        restarts = data_.restarts();
        since = std::chrono::steady_clock::now();
        if (!began || restarts - first_restarts < settings_.most_early_ends) continue;
        co_await give_up_start("the process that carries the traffic ended " +
                               std::to_string(restarts - first_restarts) + " times soon after the start");
        co_return;
    }
    if (began) boot_.settled();
    good_ = true;
    co_await mark_good(number_);
}

Task<void> Changes::give_up_start(std::string why)
{
    auto good = boot_.instead(why);
    if (!good) co_return;
    const auto generation = in_force_.generation;
    for (;;) {
        while (!data_.take_turn()) co_await pause(5ms);
        if (stopping_ || generation != in_force_.generation) {
            data_.leave_turn();
            co_return;
        }
        auto next = *good;
        const auto exchanged = co_await exchange_(std::move(next));
        data_.leave_turn();
        if (exchanged) break;
        log::error("the last-known-good configuration does not come into force, it is tried again: " +
                   exchanged.error().what);
        co_await pause(200ms);
    }
    came_into_force(boot_.fallback().number);
    good_ = true;
}

Task<void> Changes::stop()
{
    stopping_ = true;
    deadline_.cancel();
    if (archive_.history() == nullptr || in_force_.loaded == nullptr || pending_) co_return;
    if (data_.restarts() != restarts_before_) co_return;
    auto settling = [this] { return boot_.settled(), true; };
    (void)co_await archive_.aside(std::move(settling));
    co_await mark_good(number_);
}

} // namespace gw::keeper
