#pragma once

#include "gateway/base/task.h"
#include "gateway/config/config.h"
#include "gateway/keeper/pulse.h"
#include "gateway/link/order.h"
#include "netfilter/install.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gw::keeper {

/// The rules in the kernel, as the keeper sees them: what the configuration in force asks for, put there whole or not
/// at all, and put back when somebody takes it away. New connections are captured while `alive` is called.
class Rules {
public:
    explicit Rules(asio::io_context& io) : io_(io) {}

    /// `changed` is called, while there are rules, when something has changed in the kernel that can concern them.
    void when_changed(std::function<void()> changed) { changed_ = std::move(changed); }

    /// What is to be closed when the gateway is down is closed from now on, long before anything can be captured, and
    /// what a killed process has left of captures is swept.
    /// Errors: of `netfilter::Installer`.
    Result<> guard(const config::Settings& settings);
    /// Once the first configuration serves and captures nothing: takes away what one that was killed has left, its
    /// guard too. Not before, or what is closed would open for a configuration that does not work.
    void sweep_leftovers(const netfilter::Settings& settings);
    /// Makes the kernel hold what these listeners ask for. None of them intercepts: nothing, or when something did
    /// until now, what its connections under way need. On error everything is as before. Errors: of
    /// `netfilter::Installer`.
    Result<> put(const config::Settings& settings, const std::vector<link::SocketName>& sockets);
    /// The same when there is no way back: what fails is tried again until it works or `put` is called, and meanwhile
    /// `missing` says so.
    void insist(const config::Settings& settings, const std::vector<link::SocketName>& sockets);
    /// The data process serves, at this moment.
    void alive();
    /// Nothing new is captured; connections under way go on.
    void stop_capturing();
    /// Takes everything away again but the guard: what is to be closed when the gateway is down stays closed. What goes
    /// wrong is in the log.
    void remove();

    bool installed() const { return !netfilter::is_nothing(plan_); }
    /// Nothing is captured any more; only connections under way need what is installed.
    bool lingers() const { return plan_.lingers; }
    /// What is in force; empty when nothing is installed.
    const netfilter::Plan& plan() const { return plan_; }
    /// "nft", "iptables (legacy)" and the like; empty: nothing has been installed yet.
    const std::string& backend() const { return backend_; }
    /// The rules in force as text of that kind.
    std::string text() const { return installer_ == nullptr ? std::string() : installer_->text(); }
    /// What of it the kernel does not have, for a person; empty: all is there.
    std::string missing();
    /// How many things were put back that others had taken away, and what the last ones were.
    std::uint64_t healed() const { return healed_; }
    const std::string& last_healed() const { return last_healed_; }

    // For a successor (upgrade.h), which then owns the rules in place of this process.

    /// From now on nothing is put back that is missing: the successor exchanges rules. Errors: `refused` when nothing
    /// is installed.
    Result<netfilter::Handover> hand_over();
    /// There is no successor after all. What goes wrong is tried again.
    void take_back();
    /// Goes on with the rules of a predecessor; `put` exchanges them for its own. Errors: of `netfilter::Installer`.
    Result<> adopt(const config::Settings& settings, netfilter::Handover handover);
    /// The successor has them: nothing is removed.
    void release();

private:
    struct Following;

    Result<> open(const netfilter::Settings& settings);
    Result<> put_captures(const netfilter::Settings& settings, std::vector<netfilter::Capture> captures);
    Result<> clear(const netfilter::Settings& settings);
    void forget();
    void insist_on(netfilter::Settings settings, std::vector<netfilter::Capture> captures);
    Task<void> try_again(netfilter::Settings settings, std::vector<netfilter::Capture> captures, std::uint64_t attempt);
    bool put_well(const Result<>& outcome);
    Result<> follow_kernel(const netfilter::Settings& settings);
    Task<void> follow(std::shared_ptr<Following> following);
    Task<void> look_after(std::shared_ptr<Following> following);
    void put_in_force();
    bool heal();
    bool healed_well(std::string failure);

    asio::io_context& io_;
    std::function<void()> changed_;
    std::unique_ptr<netfilter::Installer> installer_;
    std::unique_ptr<Pulse> pulse_;         // while there are rules
    std::shared_ptr<Following> following_; // the kernel's changes, while there are rules
    netfilter::Plan plan_;
    std::string backend_;
    std::uint64_t healed_ = 0;
    std::string last_healed_;
    std::string not_healed_;   // why; empty: nothing is
    std::string not_followed_; // the same of what the kernel says
    std::string not_put_;      // why what must be in force is not; empty: it is
    std::uint64_t attempt_ = 0;
    bool adopted_ = false; // there are rules of a predecessor, and plan_ says nothing of them
    bool capturing_ = true;
    bool beat_failed_ = false;
    bool looked_for_leftovers_ = false;
};

} // namespace gw::keeper
