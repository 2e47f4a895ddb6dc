#include "gateway/keeper/data_side.h"

#include "gateway/base/end_on_bug.h"
#include "gateway/base/log.h"

#include <boost/asio/co_spawn.hpp>
#include <charconv>
#include <sys/wait.h>
#include <unistd.h>

namespace gw::keeper {

namespace {

using namespace std::chrono_literals;

std::string how_it_ended(int status)
{
    return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                               : "exit " + std::to_string(WEXITSTATUS(status));
}

} // namespace

DataSide::DataSide(asio::io_context& io, const Settings& settings, InForce& in_force)
    : io_(io), settings_(settings), in_force_(in_force), wake_standby_(io), drained_(io)
{}

// --- processes

Result<std::shared_ptr<DataLink>> DataSide::start_process()
{
    auto started = DataLink::start(io_);
    if (!started) return started.error();
    auto keep = [process = *started](std::exception_ptr bug) {
        if (bug) std::rethrow_exception(bug);
    };
    asio::co_spawn(io_, (*started)->follow(), std::move(keep));
    return started;
}

Result<> DataSide::start()
{
    auto started = start_process();
    if (!started) return started.error();
    serving_ = std::move(*started);
    serving_since_ = std::chrono::steady_clock::now();
    serving_ended_ = false;
    return {};
}

void DataSide::watch(std::function<void()> alive)
{
    alive_ = std::move(alive);
    asio::co_spawn(io_, beat(), end_on_bug);
    asio::co_spawn(io_, keep_standby(), end_on_bug);
}

void DataSide::stop()
{
    stopping_ = true;
    standby_.reset();
    wake_standby_.cancel();
}

void DataSide::end()
{
    stop();
    serving_.reset();
}

bool DataSide::child_ended(int process_id, int status)
{
    if (standby_ != nullptr && process_id == standby_->process_id()) {
        log::warning("the waiting data process ended by " + how_it_ended(status));
        standby_.reset();
        wake_standby_.cancel();
        return true;
    }
    if (serving_ == nullptr || process_id != serving_->process_id()) return false;
    serving_ended_ = true;
    if (stopping_) {
        drained_.cancel();
        return true;
    }
    log::error("the data process ended by " + how_it_ended(status) + "; the next one takes over");
    if (in_force_.loaded != nullptr) asio::co_spawn(io_, revive(), end_on_bug);
    return true;
}

// --- a process takes the place of one that ended

bool DataSide::take_turn()
{
    if (turn_taken_) return false;
    turn_taken_ = true;
    return true;
}

Task<void> DataSide::pause(std::chrono::milliseconds time)
{
    asio::steady_timer timer{io_, time};
    auto outcome = co_await timer.async_wait(as_outcome);
    (void)outcome;
}

Task<void> DataSide::revive()
{
    if (std::chrono::steady_clock::now() - serving_since_ > settings_.steady_after) restart_pause_ = 0ms;
    if (restart_pause_ > 0ms) co_await pause(restart_pause_);
    restart_pause_ = std::clamp(restart_pause_ * 2, settings_.first_restart_pause, settings_.longest_restart_pause);
    ++restarts_;
    while (!take_turn()) co_await pause(5ms); // a reload that is under way fails by itself: its data process has gone
    if (stopping_) co_return;
    const auto revived = co_await serve_again(AtAnyPrice::yes);
    leave_turn();
    if (revived) {
        // It has just answered. After the first that failed that is enough; in a crash loop it must live on for a bit.
        if (alive_ && restart_pause_ <= settings_.first_restart_pause) alive_();
        log::info("the data process serves again");
        wake_standby_.cancel();
        co_return;
    }
    log::error("the next data process does not serve: " + revived.error().what);
    if (serving_ended_)
        asio::co_spawn(io_, revive(), end_on_bug); // it never began
    else
        serving_->kill(); // its end brings us here again
}

Task<Result<>> DataSide::serve_again(AtAnyPrice price)
{
    const auto& access = in_force_.loaded->settings.session.access;
    Descriptor log_file;
    if (price == AtAnyPrice::yes) {
        log_file = access_log_.open_or_go_on(access);
    } else {
        auto opened = access_log_.open(access);
        if (!opened) co_return opened.error();
        log_file = std::move(*opened);
    }
    oldest_ = 0;
    const bool ready = standby_ready();
    if (ready) {
        serving_ = std::exchange(standby_, nullptr);
        standby_generation_ = 0;
        serving_since_ = std::chrono::steady_clock::now();
        serving_ended_ = false;
    } else {
        const auto started = start();
        if (!started) co_return started.error();
        const auto prepared =
            co_await order_prepare(serving_, *in_force_.loaded, names_of(in_force_.held), in_force_.generation);
        if (!prepared) co_return prepared.error();
    }
    const auto committed = co_await order_commit(serving_, names_of(in_force_.held), in_force_.held,
                                                 in_force_.generation, std::move(log_file));
    if (!committed) co_return committed.error();
    note_oldest(*committed);
    co_return Result<>{};
}

/// The second process costs a start of its own, so it comes once the first has settled.
Task<void> DataSide::keep_standby()
{
    auto retry = settings_.standby_after;
    while (!stopping_) {
        co_await pause(retry);
        if (stopping_) co_return;
        const bool ready = co_await ready_standby();
        retry = ready ? settings_.standby_after : std::min(retry * 2, settings_.longest_restart_pause);
        if (standby_ready()) co_await watch_standby();
    }
}

/// Until it is to be brought up to something, or has ended. One that hangs is of no use when it is needed.
Task<void> DataSide::watch_standby()
{
    for (;;) {
        wake_standby_.expires_after(settings_.hang_limit);
        auto outcome = co_await wake_standby_.async_wait(as_outcome);
        auto& [woken] = outcome;
        const auto process = standby_;
        if (woken || process == nullptr) co_return;
        const auto answered = co_await process->ask(link::Kind::beat, {}, {}, settings_.hang_limit);
        if (standby_ != process) co_return; // it has ended, or serves already
        if (answered && standby_ready()) continue;
        if (answered) co_return; // called meanwhile
        log::warning("the waiting data process gives no sign of life: it is ended");
        process->kill();
        co_return;
    }
}

Task<bool> DataSide::ready_standby()
{
    if (standby_ == nullptr) {
        auto started = start_process();
        if (!started) {
            log::warning("no second data process: " + started.error().what);
            co_return false;
        }
        standby_ = std::move(*started);
        standby_generation_ = 0;
    }
    const auto process = standby_;
    const auto generation = in_force_.generation;
    const auto prepared = co_await order_prepare(process, *in_force_.loaded, names_of(in_force_.held), generation);
    if (standby_ != process) co_return false; // it has ended, or serves already
    if (!prepared) {
        log::warning("the second data process is not ready: " + prepared.error().what);
        standby_.reset();
        co_return false;
    }
    standby_generation_ = generation;
    co_return true;
}

/// One that hangs cannot be waited for: it is ended, and its end brings the next one.
Task<void> DataSide::beat()
{
    auto answered_at = std::chrono::steady_clock::now();
    while (!stopping_) {
        const auto process = serving_;
        const auto asked_at = std::chrono::steady_clock::now();
        const auto answered = co_await process->ask(link::Kind::beat, {}, {}, settings_.beat_limit);
        if (answered && process == serving_) note_oldest(*answered);
        const auto now = std::chrono::steady_clock::now();
        const bool stalled_ourselves = now - asked_at > 2 * settings_.beat_limit; // stopped, or a busy machine
        if (answered || stalled_ourselves || process != serving_ || serving_ended_) answered_at = now;
        silent_ = now - answered_at > settings_.beat_limit;
        if (answered && alive_) alive_();
        if (!answered && !stopping_ && now - answered_at > settings_.hang_limit) {
            log::error("the data process gives no sign of life: it is ended");
            process->kill();
            answered_at = now;
        }
        co_await pause(settings_.beat_interval);
    }
}

// --- orders

Task<Result<std::string>> DataSide::order_prepare(std::shared_ptr<DataLink> process, const Loaded& loaded,
                                                  std::vector<link::SocketName> sockets, std::uint64_t generation)
{
    link::Order order;
    order.generation = generation;
    order.workers = in_force_.workers;
    order.log_level = static_cast<int>(in_force_.level.value_or(loaded.settings.control.level));
    for (const auto& source : loaded.sources) order.sources.push_back({source.name, source.text});
    order.sockets = std::move(sockets);
    auto text = link::encode(order);
    co_return co_await process->ask(link::Kind::prepare, std::move(text), {}, settings_.prepare_limit);
}

Task<Result<std::string>> DataSide::order_commit(std::shared_ptr<DataLink> process,
                                                 std::vector<link::SocketName> sockets, const HeldSockets& added,
                                                 std::uint64_t generation, Descriptor log_file)
{
    link::Order order;
    order.generation = generation;
    order.workers = in_force_.workers;
    order.sockets = std::move(sockets);
    order.added = names_of(added);
    std::vector<Descriptor> descriptors;
    for (const auto& socket : added) descriptors.emplace_back(::dup(socket.socket.number()));
    order.log_file = log_file.is_open();
    if (order.log_file) descriptors.push_back(std::move(log_file));
    auto text = link::encode(order);
    co_return co_await process->ask(link::Kind::commit, std::move(text), std::move(descriptors),
                                    settings_.commit_limit);
}

Task<Result<std::string>> DataSide::prepare(const Loaded& loaded, std::vector<link::SocketName> sockets)
{
    return order_prepare(serving_, loaded, std::move(sockets), in_force_.generation + 1);
}

Task<Result<std::string>> DataSide::commit(const Loaded& loaded, std::vector<link::SocketName> sockets,
                                           const HeldSockets& added)
{
    auto log_file = access_log_.open(loaded.settings.session.access);
    if (!log_file) co_return log_file.error();
    auto committed =
        co_await order_commit(serving_, std::move(sockets), added, in_force_.generation + 1, std::move(*log_file));
    if (committed) note_oldest(*committed);
    co_return committed;
}

/// What a commit and a beat are answered with.
void DataSide::note_oldest(const std::string& answer)
{
    std::from_chars(answer.data(), answer.data() + answer.size(), oldest_);
}

Task<void> DataSide::abandon()
{
    const auto process = serving_;
    const auto abandoned = co_await process->ask(link::Kind::abandon, {}, {}, settings_.commit_limit);
    (void)abandoned;
}

Task<Result<std::string>> DataSide::ask(std::string target)
{
    const auto process = serving_;
    co_return co_await process->ask(link::Kind::ask, std::move(target), {}, settings_.ask_limit);
}

Task<void> DataSide::drain(std::chrono::milliseconds limit, bool gently, std::function<void()> accepts_no_more)
{
    drained_.expires_after(limit);
    const auto process = serving_;
    auto how = std::string{gently ? link::drain_gently : std::string_view{}};
    const auto asked =
        co_await process->ask(link::Kind::drain, std::move(how), {}, std::min(limit, settings_.closing_limit));
    (void)asked;
    if (accepts_no_more) accepts_no_more();
    if (serving_ended_) co_return;
    auto outcome = co_await drained_.async_wait(as_outcome);
    (void)outcome;
}

} // namespace gw::keeper
