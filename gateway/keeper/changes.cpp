#include "gateway/keeper/changes.h"

#include "gateway/base/end_on_bug.h"
#include "gateway/base/log.h"

#include <boost/asio/co_spawn.hpp>
#include <ctime>
#include <systemd/sd-daemon.h>
#include <time.h>

namespace gw::keeper {

namespace {

using namespace std::chrono_literals;

void tell_reloading()
{
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    ::sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
                 static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000);
}

} // namespace

Outcome refused(int status, std::string why)
{
    Outcome outcome;
    outcome.status = status;
    outcome.rejection.text = std::move(why);
    return outcome;
}

Changes::Changes(asio::io_context& io, const Options& options, const Settings& settings, InForce& in_force,
                 DataSide& data, LastReload& last_reload, Exchange exchange)
    : io_(io), options_(options), settings_(settings), in_force_(in_force), data_(data), last_reload_(last_reload),
      exchange_(std::move(exchange)), archive_(options.state_directory), boot_(options, settings, archive_.history()),
      deadline_(io)
{
    if (!archive_.why_not().empty()) log::error(archive_.why_not() + "; nothing is kept there");
}

Task<void> Changes::pause(std::chrono::milliseconds time)
{
    asio::steady_timer timer{io_, time};
    auto outcome = co_await timer.async_wait(as_outcome);
    (void)outcome;
}

// --- one change at a time

std::optional<Outcome> Changes::take_turn(bool while_pending)
{
    if (stopping_) return refused(409, "the gateway is stopping");
    if (in_force_.loaded == nullptr) return refused(409, "the gateway is still starting");
    if (pending_ && !while_pending)
        return refused(409,
                       "a configuration is on trial: `gatewayctl confirm` keeps it, `gatewayctl rollback` ends it");
    if (!data_.take_turn()) return refused(409, "another change is under way");
    tell_reloading();
    return std::nullopt;
}

Outcome Changes::leave_turn(const char* how, Outcome outcome)
{
    const auto number = std::to_string(in_force_.generation);
    if (outcome.ok()) {
        log::set_level(options_.level.value_or(in_force_.loaded->settings.control.level));
        log::info(std::string{how} + ": configuration " + number + " is in force" +
                  (pending_ ? ", on trial until it is confirmed" : ""));
        if (!outcome.not_saved.empty()) log::error("in force, but NOT SAVED: " + outcome.not_saved);
        not_saved_ = outcome.not_saved;
    } else {
        log::error(std::string{how} + " refused, the configuration in force stays:\n" + outcome.rejection.text);
    }
    ::sd_notify(0, "READY=1");
    // A file that was refused for `apply` lies somewhere else: nothing is wrong with the gateway's own.
    const bool own_file = outcome.ok() || std::string_view{how} == "reload";
    if (own_file)
        last_reload_.json = {{"at", static_cast<std::int64_t>(std::time(nullptr))},
                             {"how", how},
                             {"ok", outcome.ok()},
                             {"error", outcome.ok() ? "" : outcome.rejection.text}};
    data_.leave_turn();
    return outcome;
}

// --- changes

Task<Outcome> Changes::put_in_force(Wish wish, std::variant<Loaded, Rejection> loading)
{
    if (auto* rejected = std::get_if<Rejection>(&loading)) co_return Outcome{422, std::move(*rejected), {}};
    auto& next = std::get<Loaded>(loading);
    Stored stored{0, std::time(nullptr), wish.how, next.sources};
    if (wish.trial > 0s) co_return co_await put_on_trial(std::move(stored), std::move(next), wish.trial);

    const auto* history = archive_.history();
    auto writing = [history, stored = std::move(stored), files = std::move(wish.files)] {
        auto staged = stage(history, stored, files);
        return staged ? std::pair{std::move(*staged), std::string{}} : std::pair{Saving{}, staged.error().what};
    };
    auto written = co_await archive_.aside(std::move(writing));
    auto& [saving, not_written] = written;
    if (!not_written.empty() && wish.must_be_stored) co_return refused(500, "nothing has changed: " + not_written);

    const auto exchanged = co_await exchange_(std::move(next));
    if (!exchanged) co_return refused(422, exchanged.error().what);
    const auto number = saving.number;
    auto publishing = [history, saving = std::move(saving)]() mutable {
        const auto published = publish(history, std::move(saving));
        if (history == nullptr) return published ? std::string{} : published.error().what;
        history->forget(History::Slot::unconfirmed); // somebody has decided: earlier doubts are settled
        history->forget(History::Slot::starting);
        return published ? std::string{} : published.error().what;
    };
    auto not_published = co_await archive_.aside(std::move(publishing));
    Outcome outcome;
    outcome.not_saved = not_written.empty() ? std::move(not_published) : std::move(not_written);
    came_into_force(outcome.not_saved.empty() ? number : 0);
    unconfirmed_in_file_ = false;
    asio::co_spawn(io_, watch_first_seconds(false), end_on_bug);
    co_return outcome;
}

void Changes::came_into_force(std::uint64_t number)
{
    number_ = number;
    good_ = false;
    in_force_since_ = std::time(nullptr);
    restarts_before_ = data_.restarts();
}

Task<Outcome> Changes::reload()
{
    if (auto no = take_turn(false)) {
        log::warning("reload refused: " + no->rejection.text); // a signal has no other answer
        co_return *no;
    }
    auto reading = [file = options_.config_file] { return load(file); };
    auto loading = co_await archive_.aside(std::move(reading));
    Wish wish;
    auto outcome = co_await put_in_force(std::move(wish), std::move(loading));
    co_return leave_turn("reload", std::move(outcome));
}

Task<Outcome> Changes::apply(std::optional<std::string> text, std::chrono::seconds trial)
{
    if (auto no = take_turn(false)) co_return *no;
    auto reading = [file = options_.config_file, text = std::move(text)]() mutable {
        return text ? load(file, std::move(*text)) : load(file);
    };
    auto loading = co_await archive_.aside(std::move(reading));
    Wish wish;
    wish.how = "apply";
    wish.trial = trial;
    wish.must_be_stored = true;
    if (const auto* loaded = std::get_if<Loaded>(&loading); loaded != nullptr && trial == 0s)
        wish.files = differing_from_disk({loaded->sources[0]});
    auto outcome = co_await put_in_force(std::move(wish), std::move(loading));
    co_return leave_turn("apply", std::move(outcome));
}

/// What was in force `back` changes ago.
Task<Result<config::Sources>> Changes::sources_back(std::size_t back)
{
    if (pending_ && back == 1) co_return pending_->before->sources;
    const auto* history = archive_.history();
    if (history == nullptr)
        co_return Error{
            Fault::refused, Side::gateway, "no state directory is kept, so there is nothing to go back to", {}};
    auto reading = [history] { return history->entries(); };
    const auto entries = co_await archive_.aside(std::move(reading));
    const auto below = pending_ ? pending_->before_number + 1 : number_ != 0 ? number_ : UINT64_MAX;
    for (const auto& entry : entries)
        if (entry.number < below && entry.sources[0].name == options_.config_file && --back == 0)
            co_return entry.sources;
    co_return Error{
        Fault::refused, Side::gateway, "there is no configuration so far back; see `gatewayctl rollback --list`", {}};
}

Task<Outcome> Changes::rollback(std::size_t back)
{
    if (auto no = take_turn(true)) co_return *no;
    auto sources = co_await sources_back(back);
    if (!sources) co_return leave_turn("rollback", refused(409, sources.error().what));
    if (const auto unwanted = unwanted_includes(*sources); !unwanted.empty())
        co_return leave_turn("rollback", refused(409, "that configuration did not have " + unwanted +
                                                          ", which its include: would take now; move it away first"));
    Wish wish;
    wish.how = "rollback";
    wish.must_be_stored = true;
    wish.files = differing_from_disk(*sources);
    auto parsing = [sources = std::move(*sources)]() mutable { return load(std::move(sources)); };
    auto loading = co_await archive_.aside(std::move(parsing));
    auto outcome = co_await put_in_force(std::move(wish), std::move(loading));
    if (outcome.ok() && pending_) {
        co_await end_trial(false);
        trial_ended("went back");
    }
    co_return leave_turn("rollback", std::move(outcome));
}

} // namespace gw::keeper
