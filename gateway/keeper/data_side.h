#pragma once

#include "gateway/keeper/access_log.h"
#include "gateway/keeper/data_link.h"
#include "gateway/keeper/load.h"
#include "gateway/keeper/settings.h"
#include "gateway/keeper/sockets.h"

#include <functional>
#include <optional>

namespace gw::keeper {

/// What is served now: the keeper's, lent to those who bring a data process up to it.
struct InForce {
    std::unique_ptr<Loaded> loaded; ///< null before the first configuration serves
    HeldSockets held;
    std::uint64_t generation = 0;
    std::size_t workers = 1;
    std::optional<log::Level> level; ///< over what the configuration says
};

/// The data processes: the one that serves, and one that has built the same configuration and waits to take its place.
/// When the first ends, the second gets the listening sockets, which were never closed: clients that come meanwhile
/// wait in their queues. When one ends soon after it began, the next waits longer and longer.
class DataSide {
public:
    /// `in_force` is looked at whenever a process has to be brought up to it.
    DataSide(asio::io_context& io, const Settings& settings, InForce& in_force);

    /// The first process. Errors: `system`.
    Result<> start();
    /// From now on a second one is kept ready, and the first is asked for signs of life; `alive` is called for each.
    void watch(std::function<void()> alive);
    /// Nothing is started or replaced any more.
    void stop();
    /// Ends all processes.
    void end();
    /// Ends one that never served; another may be started.
    void end_unstarted() { serving_.reset(); }

    // Errors of all orders: what the data process said (`refused`), `timed_out`, `closed` when it has gone.

    Task<Result<std::string>> prepare(const Loaded& loaded, std::vector<link::SocketName> sockets);
    Task<Result<std::string>> commit(const Loaded& loaded, std::vector<link::SocketName> sockets,
                                     const HeldSockets& added);
    Task<void> abandon();
    Task<Result<std::string>> ask(std::string target);
    /// Connections under way get so long to end. Returns when the process has ended, or at the limit. `gently`: those
    /// that wait for their next request may make it. `accepts_no_more`: called before that, once nothing is accepted
    /// any more, or there is nobody who could.
    Task<void> drain(std::chrono::milliseconds limit, bool gently = false, std::function<void()> accepts_no_more = {});
    /// Starts a process that serves what is in force, beside that of a predecessor. Errors: of the orders.
    Task<Result<>> succeed() { return serve_again(AtAnyPrice::no); }
    /// What is in force has changed: the second process has to follow.
    void changed() { wake_standby_.cancel(); }

    /// A child of this process has ended. False: it was none of these.
    bool child_ended(int process_id, int status);

    /// While somebody has the turn, no process is exchanged for another. Taken by a reload.
    bool take_turn();
    void leave_turn() { turn_taken_ = false; }

    /// The process that served has ended.
    bool ended() const { return serving_ended_; }
    int process_id() const { return serving_ == nullptr ? -1 : serving_->process_id(); }
    bool standby_ready() const { return standby_ != nullptr && standby_generation_ == in_force_.generation; }
    std::uint64_t restarts() const { return restarts_; }
    /// The process that serves has given no sign of life for longer than `beat_limit`.
    bool silent() const { return silent_; }
    /// The oldest configuration that something under way still has; 0: not known.
    std::uint64_t oldest() const { return oldest_; }
    /// What it serves without, for a person; empty: nothing.
    const std::string& problem() const { return access_log_.problem(); }

private:
    enum class AtAnyPrice { no, yes }; ///< yes: also without its access log
    Result<std::shared_ptr<DataLink>> start_process();
    Task<Result<std::string>> order_prepare(std::shared_ptr<DataLink> process, const Loaded& loaded,
                                            std::vector<link::SocketName> sockets, std::uint64_t generation);
    Task<Result<std::string>> order_commit(std::shared_ptr<DataLink> process, std::vector<link::SocketName> sockets,
                                           const HeldSockets& added, std::uint64_t generation, Descriptor log_file);
    Task<void> revive();
    Task<Result<>> serve_again(AtAnyPrice price);
    void note_oldest(const std::string& answer);
    Task<void> keep_standby();
    Task<bool> ready_standby();
    Task<void> watch_standby();
    Task<void> beat();
    Task<void> pause(std::chrono::milliseconds time);

    asio::io_context& io_;
    const Settings& settings_;
    InForce& in_force_;
    std::function<void()> alive_;
    AccessLogFile access_log_;
    std::shared_ptr<DataLink> serving_;
    std::shared_ptr<DataLink> standby_;
    std::uint64_t standby_generation_ = 0; // what it has built; 0: nothing yet
    asio::steady_timer wake_standby_;
    asio::steady_timer drained_;
    std::chrono::steady_clock::time_point serving_since_{};
    std::chrono::milliseconds restart_pause_{0};
    std::uint64_t restarts_ = 0;
    std::uint64_t oldest_ = 0;
    bool serving_ended_ = true;
    bool turn_taken_ = false;
    bool stopping_ = false;
    bool silent_ = false;
};

} // namespace gw::keeper
