#include "gateway/keeper/keeper.h"

#include "gateway/base/deadline.h"
#include "gateway/base/end_on_bug.h"
#include "gateway/base/log_thread.h"
#include "gateway/base/thread.h"
#include "gateway/confine/confine.h"
#include "gateway/keeper/answers.h"
#include "gateway/keeper/changes.h"
#include "gateway/keeper/control_server.h"
#include "gateway/keeper/data_side.h"
#include "gateway/keeper/descriptor_store.h"
#include "gateway/keeper/doctor.h"
#include "gateway/keeper/leaving.h"
#include "gateway/keeper/load.h"
#include "gateway/keeper/port_sharing.h"
#include "gateway/keeper/predecessors.h"
#include "gateway/keeper/rules.h"
#include "gateway/keeper/service_manager.h"
#include "gateway/keeper/succession.h"
#include "gateway/keeper/upgrade.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <linux/capability.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <thread>

namespace gw::keeper {

namespace {

/// EX_CONFIG of sysexits.h: until somebody mends the file, the next start would end in the same way.
constexpr int wrong_file_status = 78;

/// What the service's unit grants: rules, sockets that use a client's address, ports below 1024.
constexpr std::uint64_t granted =
    std::uint64_t{1} << CAP_NET_ADMIN | std::uint64_t{1} << CAP_NET_RAW | std::uint64_t{1} << CAP_NET_BIND_SERVICE;
/// Beside it, for one that root started: its data process is to be another user, whom nothing can give root's powers
/// again, and has to be ended when it hangs.
constexpr std::uint64_t for_another_user = std::uint64_t{1} << CAP_SETUID | std::uint64_t{1} << CAP_SETGID |
                                           std::uint64_t{1} << CAP_SETPCAP | std::uint64_t{1} << CAP_KILL;

class Keeper {
public:
    explicit Keeper(const Options& options)
        : options_(options), signals_(io_, SIGTERM, SIGINT, SIGHUP), children_(io_, SIGCHLD),
          wheel_(io_.get_executor()), data_(io_, settings_, in_force_),
          server_(io_, wheel_, settings_,
                  [this](std::string method, std::string target, std::string body) {
                      return respond(std::move(method), std::move(target), std::move(body));
                  }),
          changes_(io_, options_, settings_, in_force_, data_, last_reload_,
                   [this](Loaded next) { return exchange(std::move(next)); }),
          answers_(options_, in_force_, data_, rules_, last_reload_)
    {
        in_force_.level = options_.level;
    }

    int run()
    {
        asio::co_spawn(io_, live(), end_on_bug);
        io_.run();
        take_no_signals(); // soon nobody handles them, and what has ended well would seem killed
        return status_;
    }

private:
    // --- life

    Task<void> live()
    {
        asio::co_spawn(io_, follow_signals(), end_on_bug);
        asio::co_spawn(io_, follow_children(), end_on_bug);
        // Not in one expression: either of the two is a coroutine of its own.
        Result<> started;
        if (options_.predecessor)
            started = co_await succeed_predecessor();
        else
            started = co_await start();
        if (!started) {
            log::error("not started: " + started.error().what);
            status_ = started.error().fault == Fault::malformed ? wrong_file_status : 1;
            if (options_.predecessor && !rules_.installed()) rules_.release(); // still those of the one before
            if (status_ == 1 && !options_.predecessor) co_await put_off_next_start(io_, settings_.failed_start_pause);
            end();
            co_return;
        }
        const auto count = in_force_.loaded->settings.listeners.size();
        ::sd_notifyf(0, "READY=1\nSTATUS=serving %zu listeners", count);
        log::info("serving " + std::to_string(count) + " listeners, configuration " + options_.config_file);
        changes_.began();
        data_.watch([this] {
            rules_.alive();
            see_rules_off();
        });
        asio::co_spawn(io_, feed_watchdog(io_), end_on_bug);
        rules_.when_changed([this] { doctor_.changed(); });
        asio::co_spawn(io_, doctor_.watch(), end_on_bug);
    }

    /// Errors: `malformed` when the configuration cannot be used as it is.
    Task<Result<>> start()
    {
        in_force_.held = store_.inherited();
        // Before anything else, but not with descriptors that it must not have: it has much to read before it can be
        // given a configuration.
        const auto data = data_.start();
        if (!data) co_return data.error();
        auto loading = changes_.boot().choose();
        if (const auto* rejected = std::get_if<Rejection>(&loading))
            co_return Error{Fault::malformed, Side::gateway, "the configuration is wrong\n" + rejected->text, {}};
        auto started = co_await start_with(std::move(std::get<Loaded>(loading)));
        if (started || started.error().fault == Fault::denied || stopping_) co_return started;
        auto good = changes_.boot().instead(started.error().what);
        if (!good) co_return started;
        server_.close();
        data_.end_unstarted();
        if (const auto again = data_.start(); !again) co_return again.error();
        started = co_await start_with(std::move(*good));
        co_return started;
    }

    /// Errors: `denied` when another gateway is there already; others when it may be the configuration's fault.
    Task<Result<>> start_with(Loaded loaded)
    {
        const auto& control = loaded.settings.control;
        log::set_level(options_.level.value_or(control.level));
        in_force_.workers = control.workers != 0 ? control.workers : std::max(1U, std::thread::hardware_concurrency());

        const auto opened = server_.open_unix(control.socket, control.group);
        const auto fault = !opened && opened.error().fault == Fault::refused ? Fault::denied : Fault::system;
        if (!opened) co_return Error{fault, Side::gateway, describe(opened.error()), {}};
        const auto metrics = server_.open_metrics(control.metrics);
        if (!metrics) co_return Error{Fault::system, Side::gateway, describe(metrics.error()), {}};
        store_.fit(in_force_.held, loaded.settings, in_force_.workers);
        co_return co_await apply(std::move(loaded));
    }

    void end()
    {
        signals_.cancel();
        children_.cancel();
        server_.close();
        doctor_.end();
        data_.end();
        wheel_.stop();
        io_.stop();
    }

    Task<void> reload_and_forget()
    {
        const auto reloaded = co_await changes_.reload(); // what it came to is in the log
        (void)reloaded;
    }

    Task<void> follow_signals()
    {
        for (;;) {
            auto outcome = co_await signals_.async_wait(as_outcome);
            auto& [failed, number] = outcome;
            if (failed) co_return;
            if (number == SIGHUP) {
                asio::co_spawn(io_, reload_and_forget(), end_on_bug);
                continue;
            }
            if (successor_ != nullptr) { // what there was has gone to it
                end();
                co_return;
            }
            if (stopping_ || in_force_.loaded == nullptr) { // a second time, or before it ever served: at once
                status_ = in_force_.loaded == nullptr ? 1 : 0;
                rules_.remove();
                end();
                co_return;
            }
            stopping_ = true;
            asio::co_spawn(io_, stop(), end_on_bug);
        }
    }

    Task<void> follow_children()
    {
        for (;;) {
            auto outcome = co_await children_.async_wait(as_outcome);
            auto& [failed, number] = outcome;
            if (failed) co_return;
            int status = 0;
            for (int child = 0; (child = ::waitpid(-1, &status, WNOHANG)) > 0;) data_.child_ended(child, status);
        }
    }

    /// New connections are not captured any more: `when_down` holds for them. Those under way get time to end.
    Task<void> stop()
    {
        const auto limit = in_force_.loaded->settings.control.drain_limit;
        log::info("stopping: connections under way have " + std::to_string(limit.count() / 1000) + " s to end");
        ::sd_notify(0, "STOPPING=1\nSTATUS=draining");
        rules_.stop_capturing();
        data_.stop();
        co_await changes_.stop();
        const Leaving all{in_force_.held, {}};
        co_await all.let_nobody_begin(io_, settings_.handshake_limit);
        const auto until = std::chrono::steady_clock::now() + limit;
        co_await predecessors_.drain();
        auto close = [this] { store_.exchange(in_force_.held, {}); };
        co_await data_.drain(limit, false, std::move(close));
        co_await predecessors_.see_off(until);
        rules_.remove();
        end();
    }

    // --- configurations: built, then rules, then swapped; a failure leaves everything as it was

    Task<Result<>> apply(Loaded next)
    {
        const auto& settings = next.settings;
        const auto fixed = in_force_.loaded ? fixed_changes(in_force_.loaded->settings, settings) : std::string{};
        if (!fixed.empty()) {
            auto text = fixed + ": takes effect at a start only; restart the gateway, or leave it as it is";
            co_return Error{Fault::refused, Side::gateway, std::move(text), {}};
        }
        auto& held = in_force_.held;
        const bool is_start = in_force_.loaded == nullptr;
        // Who is tried again, or waits, has the guard all the same.
        auto guard_early = [&] { return is_start ? rules_.guard(settings) : Result<>{}; };
        const auto patience = settings_.port_patience * (is_start ? 1 : 0); // others wait for a reload
        auto opening = open_when_free(io_, held, settings, in_force_.workers, patience, guard_early);
        auto change = co_await std::move(opening);
        if (!change) {
            if (const auto guarded = guard_early(); !guarded) co_return of_rules(guarded.error());
            co_return Error{Fault::system, Side::gateway, describe(change.error()), {}};
        }
        const Leaving leaving{held, change->kept};
        auto sockets = names_of(change->opened);
        for (const auto index : change->kept) sockets.push_back(held[index].name);
        auto added = std::move(change->opened);
        if (is_start) // the data process has none yet, also of those that were inherited
            for (const auto index : std::exchange(change->kept, {})) added.push_back(copy_of(held[index]));

        auto preparing = is_start ? prepare_and_guard(next, sockets) : data_.prepare(next, sockets);
        const auto prepared = co_await std::move(preparing);
        if (!prepared) co_return prepared.error();
        if (stopping_) co_return Error{Fault::closed, Side::gateway, "the gateway is stopping", {}};
        const auto installed = rules_.put(settings, sockets);
        if (!installed) {
            co_await data_.abandon();
            co_return of_rules(installed.error());
        }
        co_await leaving.let_nobody_begin(io_, settings_.handshake_limit);
        const auto committed = co_await data_.commit(next, std::move(sockets), added);
        if (!committed) {
            leaving.let_begin_again();
            put_rules_back();
            co_return committed.error();
        }
        if (stopping_)
            co_return Error{Fault::closed, Side::gateway, "the gateway is stopping", {}}; // `held` may be gone
        for (const auto index : change->kept) added.push_back(copy_of(held[index]));
        store_.exchange(held, std::move(added)); // those that no listener needs any more close here
        in_force_.loaded = std::make_unique<Loaded>(std::move(next));
        ++in_force_.generation;
        if (is_start) rules_.sweep_leftovers(in_force_.loaded->settings.netfilter);
        rules_.alive(); // it has just answered
        data_.changed();
        note_captures();
        see_rules_off();
        log_warnings(*in_force_.loaded);
        doctor_.changed();
        co_return Result<>{};
    }

    /// While the data process builds what it was told, this one has the kernel's rules to look at and to close.
    Task<Result<std::string>> prepare_and_guard(const Loaded& next, const std::vector<link::SocketName>& sockets)
    {
        using namespace asio::experimental::awaitable_operators;
        auto preparing = data_.prepare(next, sockets);
        auto guarding = guard(next.settings);
        auto both = std::move(preparing) && std::move(guarding);
        auto [prepared, guarded] = co_await std::move(both);
        if (!prepared || guarded) co_return prepared;
        co_await data_.abandon();
        co_return of_rules(guarded.error());
    }

    Task<Result<>> guard(const config::Settings& settings) { co_return rules_.guard(settings); }

    static Error of_rules(const Error& e) { return {Fault::system, Side::gateway, "rules: " + describe(e), {}}; }

    /// After a change, not during one: then the rules may be ahead of what is in force.
    void note_captures()
    {
        if (!rules_.lingers())
            without_captures_since_ = 0;
        else if (without_captures_since_ == 0)
            without_captures_since_ = in_force_.generation;
    }

    /// Rules that are there only for intercepted connections under way, of a configuration that intercepts no more.
    void see_rules_off()
    {
        const auto since = without_captures_since_;
        if (since == 0 || !rules_.lingers() || stopping_ || !predecessors_.none() || data_.oldest() < since) return;
        rules_.remove();
        without_captures_since_ = 0;
    }

    void put_rules_back()
    {
        if (in_force_.loaded == nullptr) return;
        rules_.insist(in_force_.loaded->settings, names_of(in_force_.held));
        note_captures();
    }

    /// `apply`, and the metrics endpoint with it.
    Task<Result<>> exchange(Loaded next)
    {
        const auto metrics_before = in_force_.loaded->settings.control.metrics;
        const auto metrics = server_.open_metrics(next.settings.control.metrics);
        Result<> applied = metrics;
        if (metrics) applied = co_await apply(std::move(next));
        if (!applied) {
            const auto restored = server_.open_metrics(metrics_before);
            if (!restored) log::error(describe(restored.error()));
        }
        co_return applied;
    }

    // --- upgrade: this keeper's place is taken, or it takes the place of another

    Task<link::Answer> respond_upgrade(const std::string& method)
    {
        if (method != "POST") co_return json_answer(405, {{"error", "upgrade is a POST"}});
        if (changes_.pending())
            co_return json_answer(
                409, {{"ok", false}, {"error", "a configuration is on trial: confirm it, or go back, before"}});
        if (stopping_ || in_force_.loaded == nullptr || !data_.take_turn())
            co_return json_answer(409, {{"ok", false}, {"error", "the gateway is busy with something else"}});
        log::info("upgrade: " + own_program() + " takes over");
        const Estate estate{options_.config_file, in_force_, server_, rules_, predecessors_};
        auto upgraded = co_await hand_over_to(io_, own_program(), estate, settings_);
        if (!upgraded) {
            log::error("upgrade refused: " + upgraded.error().what);
            data_.leave_turn();
            co_return json_answer(422, {{"ok", false}, {"error", upgraded.error().what}});
        }
        successor_ = upgraded->process;
        asio::co_spawn(io_, retire(), end_on_bug);
        co_return json_answer(200, {{"ok", true},
                                    {"from", options_.version},
                                    {"version", upgraded->version},
                                    {"pid", successor_->process_id()}});
    }

    /// Everything has gone to the successor but the connections under way. They may end in their own time, unless
    /// nobody serves any more before.
    Task<void> retire()
    {
        ::sd_notifyf(0, "MAINPID=%d", successor_->process_id());
        server_.release();
        rules_.release();
        predecessors_.release();
        data_.stop();
        successor_->when_told_to_drain(
            [this] { asio::co_spawn(io_, data_.drain(settings_.retirement_limit), end_on_bug); });
        log::info("upgrade: process " + std::to_string(successor_->process_id()) +
                  " serves; this one ends with its last connection");
        successor_->let_go();
        asio::co_spawn(io_, data_.drain(settings_.retirement_limit, true), end_on_bug);
        asio::steady_timer pause{io_};
        while (!successor_->gone() && (!data_.ended() || server_.clients() > 0)) {
            pause.expires_after(settings_.beat_interval);
            auto outcome = co_await pause.async_wait(as_outcome);
            (void)outcome;
        }
        end();
    }

    Task<Result<>> succeed_predecessor()
    {
        link::Link predecessor{io_, Descriptor{*options_.predecessor}};
        Heir heir;
        heir.take_in = [this](Handover& handover, std::vector<Descriptor>& descriptors) {
            return take_in(handover, descriptors);
        };
        heir.take_over = [this](std::vector<Descriptor>& earlier) { return take_over(earlier); };
        const auto succeeded = co_await succeed(predecessor, options_.version, heir);
        if (succeeded) predecessors_.add(predecessor.copy());
        co_return succeeded;
    }

    Task<Result<>> take_in(Handover& handover, std::vector<Descriptor>& descriptors)
    {
        const auto sockets = handover.sockets.size() + (handover.metrics ? 2 : 1);
        if (descriptors.size() < sockets) co_return Error{Fault::malformed, Side::gateway, "too few descriptors", {}};
        auto loading = load(std::move(handover.sources));
        if (const auto* rejected = std::get_if<Rejection>(&loading))
            co_return Error{
                Fault::refused, Side::gateway, "does not take the configuration in force:\n" + rejected->text, {}};
        options_.config_file = handover.config_file;
        options_.level = in_force_.level = handover.level;
        in_force_.loaded = std::make_unique<Loaded>(std::move(std::get<Loaded>(loading)));
        in_force_.generation = handover.generation;
        in_force_.workers = handover.workers;
        log::set_level(options_.level.value_or(in_force_.loaded->settings.control.level));
        auto next = descriptors.begin();
        for (auto& socket : handover.sockets)
            in_force_.held.push_back({std::move(socket.name), socket.asked, socket.intercepting, socket.datagrams,
                                      std::move(*next++), socket.mode});
        inherited_.control = std::move(*next++);
        if (handover.metrics) inherited_.metrics = std::move(*next++);
        if (!handover.rules.empty()) {
            netfilter::Handover rules{std::move(handover.rules), {}};
            for (; next != descriptors.end(); ++next) rules.descriptors.push_back(std::move(*next));
            const auto adopted = rules_.adopt(in_force_.loaded->settings, std::move(rules));
            if (!adopted) co_return adopted.error();
        }
        co_return co_await data_.succeed();
    }

    /// The rules come first: without them everything stays with the predecessor.
    Task<Result<>> take_over(std::vector<Descriptor>& earlier)
    {
        const auto& settings = in_force_.loaded->settings;
        const auto installed = rules_.put(settings, names_of(in_force_.held));
        if (!installed) co_return of_rules(installed.error());
        server_.adopt(std::move(inherited_), settings.control.socket, settings.control.group, settings.control.metrics);
        store_.take_over(in_force_.held);
        note_captures();
        for (auto& link : earlier) predecessors_.add(std::move(link));
        co_return Result<>{};
    }

    // --- questions

    Task<link::Answer> respond(std::string method, std::string target, std::string body)
    {
        const auto path = target.substr(0, target.find('?'));
        if (path == "/v1/upgrade") co_return co_await respond_upgrade(method);
        if (Changes::answers(path)) {
            auto query = target.substr(path.size());
            co_return co_await changes_.respond(std::move(method), path, std::move(query), std::move(body));
        }
        if (method != "GET") co_return json_answer(405, {{"error", "this is a GET"}});
        if (path == "/v1/version") co_return answers_.version();
        if (path == "/v1/rules") co_return answers_.rules();
        if (in_force_.loaded == nullptr) co_return json_answer(503, {{"error", "the gateway is still starting"}});
        if (path == "/v1/doctor") co_return doctor_.answer();
        auto answered = co_await data_.ask(std::move(target));
        auto answer = answered ? link::decode_answer(*answered) : Result<link::Answer>{answered.error()};
        if (path == "/v1/status") co_return answers_.status(answer, doctor_, changes_.status());
        if (path == "/v1/metrics" && answer && answer->status == 200) answer->body += doctor_.metrics();
        if (!answer) co_return json_answer(503, {{"error", answer.error().what}});
        co_return *answer;
    }

    Options options_;
    Settings settings_;
    InForce in_force_;
    DescriptorStore store_;
    LastReload last_reload_;
    asio::io_context io_{1};
    asio::signal_set signals_;
    asio::signal_set children_;
    DeadlineWheel wheel_;
    Rules rules_{io_};
    DataSide data_;
    ControlServer server_;
    Changes changes_;
    Answers answers_;
    std::shared_ptr<DataLink> successor_; // has taken this one's place
    Predecessors predecessors_{io_};
    std::uint64_t without_captures_since_ = 0; // the first configuration; 0: something is captured, or no rules linger
    ControlServer::Listeners inherited_;       // until they are served
    HostDoctor doctor_{io_, in_force_, rules_};
    bool stopping_ = false;
    int status_ = 0;
};

} // namespace

int run(const Options& options)
{
    log::set_process("gatewayd");
    std::signal(SIGPIPE, SIG_IGN);
    const auto left = confine::keep_capabilities(::geteuid() == 0 ? granted | for_another_user : granted);
    if (!left) {
        log::error("not started: " + describe(left.error()));
        return 1;
    }
    const log::InBackground background;
    Keeper keeper{options};
    return keeper.run();
}

} // namespace gw::keeper
