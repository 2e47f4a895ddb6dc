// A configuration on trial: in force, but not for a later start, until it is confirmed.
#include "gateway/base/end_on_bug.h"
#include "gateway/base/log.h"
#include "gateway/keeper/changes.h"

#include <boost/asio/co_spawn.hpp>
#include <ctime>

namespace gw::keeper {

namespace {

using namespace std::chrono_literals;

constexpr const char* no_state_directory =
    "no state directory is kept, and without one this cannot survive a crash; start gatewayd with --state-dir";

} // namespace

Task<Outcome> Changes::put_on_trial(Stored stored, Loaded next, std::chrono::seconds trial)
{
    const auto* history = archive_.history();
    if (history == nullptr) co_return refused(500, no_state_directory);
    // On the disk before it is in force: whatever happens from now on, the next start knows that it is not confirmed,
    // and what to use instead.
    auto before = std::make_shared<const Loaded>(*in_force_.loaded);
    Stored now{number_, in_force_since_, "start", before->sources};
    auto writing = [history, stored, now = std::move(now)]() mutable {
        auto kept = history->keep(History::Slot::pending, stored);
        if (kept && now.number == 0) kept = save(history, now);
        if (kept) kept = history->mark_good(now.number);
        if (!kept) history->forget(History::Slot::pending);
        return std::pair{now.number, kept ? std::string{} : kept.error().what};
    };
    const auto written = co_await archive_.aside(std::move(writing));
    if (!written.second.empty()) co_return refused(500, "nothing has changed: " + written.second);
    number_ = written.first;
    const auto exchanged = co_await exchange_(std::move(next));
    if (!exchanged) {
        auto forgetting = [history] { return history->forget(History::Slot::pending), true; };
        (void)co_await archive_.aside(std::move(forgetting));
        co_return refused(422, exchanged.error().what);
    }
    pending_ = Pending{in_force_.generation, std::move(before), number_, std::move(stored),
                       std::chrono::steady_clock::now() + trial};
    came_into_force(0);
    deadline_.expires_at(pending_->deadline);
    asio::co_spawn(io_, watch_trial(in_force_.generation), end_on_bug);
    co_return Outcome{};
}

Task<Outcome> Changes::confirm()
{
    if (!pending_) co_return refused(409, "nothing is on trial: there is nothing to confirm");
    if (auto no = take_turn(true)) co_return *no;
    const auto* history = archive_.history();
    auto saving = [history, stored = pending_->stored]() mutable {
        const auto saved = save(history, stored, differing_from_disk({stored.sources[0]}));
        return std::pair{stored.number, saved ? std::string{} : saved.error().what};
    };
    const auto saved = co_await archive_.aside(std::move(saving));
    if (!saved.second.empty())
        co_return leave_turn("confirm", refused(500, "not confirmed, the trial goes on: " + saved.second));
    co_await end_trial(true);
    trial_ended("confirmed");
    number_ = saved.first;
    unconfirmed_in_file_ = false;
    asio::co_spawn(io_, watch_first_seconds(false), end_on_bug);
    co_return leave_turn("confirm", Outcome{});
}

void Changes::trial_ended(std::string_view how)
{
    last_trial_ = {{"generation", pending_->generation}, {"ended", how}, {"at", std::int64_t{std::time(nullptr)}}};
    pending_.reset();
    deadline_.cancel();
}

/// On the disk nothing is on trial any more. When it was not confirmed, but is in the file, later starts have to know.
Task<void> Changes::end_trial(bool confirmed)
{
    auto ending = [history = archive_.history(), confirmed, stored = pending_->stored, file = options_.config_file] {
        const auto read = config::read_sources(file);
        const auto* sources = std::get_if<config::Sources>(&read);
        const bool in_file = !confirmed && sources != nullptr && same_sources(*sources, stored.sources);
        const auto kept = in_file ? history->keep(History::Slot::unconfirmed, stored) : Result<>{};
        if (!kept) log::warning("state directory: " + kept.error().what);
        if (confirmed) history->forget(History::Slot::unconfirmed);
        if (confirmed) history->forget(History::Slot::starting);
        if (kept) history->forget(History::Slot::pending);
        return in_file;
    };
    unconfirmed_in_file_ = co_await archive_.aside(std::move(ending));
}

Task<void> Changes::watch_trial(std::uint64_t generation)
{
    auto outcome = co_await deadline_.async_wait(as_outcome);
    (void)outcome;
    while (!stopping_ && pending_ && pending_->generation == generation) {
        const bool back = co_await go_back(generation);
        if (!back) co_await pause(500ms);
    }
}

Task<bool> Changes::go_back(std::uint64_t generation)
{
    while (!data_.take_turn()) co_await pause(5ms);
    if (!pending_ || pending_->generation != generation) { // confirmed while we waited
        data_.leave_turn();
        co_return true;
    }
    log::warning("configuration " + std::to_string(generation) + " was not confirmed in time: back to the one before");
    auto before = *pending_->before;
    const auto exchanged = co_await exchange_(std::move(before));
    if (!exchanged) {
        log::error("going back failed, it is tried again: " + exchanged.error().what);
        data_.leave_turn();
        co_return false;
    }
    came_into_force(pending_->before_number);
    good_ = true;
    co_await end_trial(false);
    trial_ended("went back");
    log::set_level(options_.level.value_or(in_force_.loaded->settings.control.level));
    log::info("configuration " + std::to_string(in_force_.generation) + " is in force, the one before the trial");
    data_.leave_turn();
    co_return true;
}

} // namespace gw::keeper
