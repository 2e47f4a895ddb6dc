#pragma once

#include "gateway/keeper/answers.h"
#include "gateway/keeper/archive.h"
#include "gateway/keeper/boot.h"
#include "gateway/keeper/saving.h"

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>

namespace gw::keeper {

/// How a change of the configuration ended.
struct Outcome {
    int status = 200;      ///< of the answer: 200; 409 not now; 422 not taken; 500 not stored, so not done
    Rejection rejection;   ///< unless 200
    std::string not_saved; ///< it is in force, but a later start will not have it: why
    bool ok() const { return status == 200; }
};

/// Not done, and why.
Outcome refused(int status, std::string why);

/// Changes of the configuration while the gateway runs: reload, apply, confirm, rollback, and going back from one that
/// was on trial and not confirmed in time. One at a time, whole or not at all; what can fail on the disk is done before
/// anything is in force. docs/changes.md.
class Changes {
public:
    /// Puts a configuration in force; on error everything is as before.
    using Exchange = std::function<Task<Result<>>(Loaded)>;

    Changes(asio::io_context& io, const Options& options, const Settings& settings, InForce& in_force, DataSide& data,
            LastReload& last_reload, Exchange exchange);

    /// What to start with.
    Boot& boot() { return boot_; }
    /// What `boot` chose serves: remembers it, and goes back to what is known to be good if it does not last.
    void began();
    /// The end is wanted: nothing is changed any more. What served until now is known to be good.
    Task<void> stop();

    Task<Outcome> reload();
    /// A configuration is on trial.
    bool pending() const { return pending_.has_value(); }

    /// Whether a request is for this part of the control API.
    static bool answers(std::string_view path);
    Task<link::Answer> respond(std::string method, std::string path, std::string query, std::string body);
    /// For GET /v1/status, beside a list `problems`.
    Json status() const;

private:
    struct Pending {
        std::uint64_t generation = 0;
        std::shared_ptr<const Loaded> before;
        std::uint64_t before_number = 0;
        Stored stored;
        std::chrono::steady_clock::time_point deadline; // clocks may be set; this one is not
    };
    struct Wish {
        const char* how = "reload";
        std::chrono::seconds trial{0}; // none
        bool must_be_stored = false;
        config::Sources files; // configuration files that will have these texts
    };

    std::optional<Outcome> take_turn(bool while_pending);
    Outcome leave_turn(const char* how, Outcome outcome);
    Task<Outcome> apply(std::optional<std::string> text, std::chrono::seconds trial);
    Task<Outcome> confirm();
    Task<Outcome> rollback(std::size_t back);
    Task<Outcome> put_in_force(Wish wish, std::variant<Loaded, Rejection> loading);
    Task<Outcome> put_on_trial(Stored stored, Loaded next, std::chrono::seconds trial);
    Task<Result<config::Sources>> sources_back(std::size_t back);
    Task<void> end_trial(bool confirmed);
    Task<void> watch_trial(std::uint64_t generation);
    Task<bool> go_back(std::uint64_t generation);
    Task<void> watch_first_seconds(bool began);
    Task<void> remember_start();
    Task<void> give_up_start(std::string why);
    Task<void> mark_good(std::uint64_t number);
    Task<void> pause(std::chrono::milliseconds time);

    Task<link::Answer> respond_history();
    link::Answer respond_config() const;
    link::Answer answer_of(const Outcome& outcome) const;
    Task<link::Answer> respond_change(std::string path, std::string query, std::string body);
    void trial_ended(std::string_view how);
    void came_into_force(std::uint64_t number);

    asio::io_context& io_;
    const Options& options_;
    const Settings& settings_;
    InForce& in_force_;
    DataSide& data_;
    LastReload& last_reload_;
    Exchange exchange_;
    Archive archive_;
    Boot boot_;
    std::optional<Pending> pending_;
    asio::steady_timer deadline_;
    std::uint64_t number_ = 0; // of what is in force; 0: on trial, or not stored
    bool good_ = false;        // what is in force has served long enough
    bool unconfirmed_in_file_ = false;
    std::uint64_t restarts_before_ = 0; // when it came into force
    std::string not_saved_;
    Json last_trial_;
    std::int64_t in_force_since_ = 0;
    bool stopping_ = false;
};

} // namespace gw::keeper
