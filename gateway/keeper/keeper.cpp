#include "gateway/keeper/keeper.h"

#include "gateway/base/deadline.h"
#include "gateway/keeper/control_server.h"
#include "gateway/keeper/data_link.h"
#include "gateway/keeper/load.h"
#include "gateway/keeper/sockets.h"
#include "netfilter/install.h"
#include "netfilter/local_addresses.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <thread>

namespace gw::keeper {

namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

constexpr auto first_restart_pause = 0ms;
constexpr auto longest_restart_pause = 5s;
constexpr auto steady_after = 5s; // a data process that lived so long starts the pauses anew

constexpr auto end_on_bug = [](std::exception_ptr bug) {
    if (bug) std::rethrow_exception(bug);
};

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

link::Answer json_answer(int status, const Json& json) { return {status, "application/json", dump(json)}; }

class Keeper {
public:
    explicit Keeper(const Options& options)
        : options_(options), signals_(io_, SIGTERM, SIGINT, SIGHUP), children_(io_, SIGCHLD),
          wheel_(io_.get_executor()), server_(io_, wheel_, settings_, [this](std::string method, std::string target) {
              return respond(std::move(method), std::move(target));
          })
    {}

    int run()
    {
        asio::co_spawn(io_, live(), end_on_bug);
        io_.run();
        return status_;
    }

private:
    // --- life

    Task<void> live()
    {
        asio::co_spawn(io_, follow_signals(), end_on_bug);
        asio::co_spawn(io_, follow_children(), end_on_bug);
        const auto started = co_await start();
        if (!started) {
            log::error("not started: " + started.error().what);
            status_ = 1;
            end();
            co_return;
        }
        ::sd_notifyf(0, "READY=1\nSTATUS=serving %zu listeners", loaded_->settings.listeners.size());
        log::info("serving " + std::to_string(loaded_->settings.listeners.size()) + " listeners, configuration " +
                  options_.config_file);
        asio::co_spawn(io_, feed_watchdog(), end_on_bug);
    }

    Task<Result<>> start()
    {
        auto loading = load(options_.config_file);
        if (const auto* rejected = std::get_if<Rejection>(&loading))
            co_return Error{Fault::malformed, Side::gateway, "the configuration is wrong\n" + rejected->text, {}};
        auto loaded = std::move(std::get<Loaded>(loading));
        log::set_level(options_.level.value_or(loaded.settings.control.level));
        workers_ = loaded.settings.control.workers;
        if (workers_ == 0) workers_ = std::max(1U, std::thread::hardware_concurrency());

        const auto& control = loaded.settings.control;
        const auto opened = server_.open_unix(control.socket, control.group);
        if (!opened) co_return Error{Fault::system, Side::gateway, describe(opened.error()), {}};
        const auto metrics = server_.open_metrics(control.metrics);
        if (!metrics) co_return Error{Fault::system, Side::gateway, describe(metrics.error()), {}};
        const auto data = start_data();
        if (!data) co_return data.error();
        co_return co_await apply(std::move(loaded));
    }

    void end()
    {
        ending_ = true;
        signals_.cancel();
        children_.cancel();
        server_.close();
        data_.reset();
        wheel_.stop();
        io_.stop();
    }

    Task<void> reload_and_forget()
    {
        const auto reloaded = co_await reload(); // what it came to is in the log
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
            if (stopping_ || loaded_ == nullptr) { // a second time, or before it ever served: at once
                status_ = loaded_ == nullptr ? 1 : 0;
                remove_rules();
                end();
                co_return;
            }
            stopping_ = true;
            asio::co_spawn(io_, stop(), end_on_bug);
        }
    }

    /// New connections pass by the rules' absence, as if we were not there; those under way get time to end.
    Task<void> stop()
    {
        const auto limit = loaded_->settings.control.drain_limit;
        log::info("stopping: connections under way have " + std::to_string(limit.count() / 1000) + " s to end");
        ::sd_notify(0, "STOPPING=1\nSTATUS=draining");
        if (installer_ != nullptr) {
            auto plan = plan_;
            plan.captures.clear();
            const auto installed = installer_->install(plan);
            if (!installed) log::warning("rules while draining: " + describe(installed.error()));
        }
        asio::steady_timer until{io_, limit};
        drained_ = &until;
        if (data_ != nullptr) {
            const auto data = data_;
            const auto asked = co_await data->ask(link::Kind::drain, {}, {}, limit);
            (void)asked;
        }
        if (!data_ended_) {
            auto outcome = co_await until.async_wait(as_outcome);
            (void)outcome;
        }
        drained_ = nullptr;
        remove_rules();
        end();
    }

    void remove_rules()
    {
        if (installer_ == nullptr) return;
        const auto removed = installer_->remove();
        if (!removed) log::warning("removing the rules: " + describe(removed.error()));
        installer_.reset();
    }

    Task<void> feed_watchdog()
    {
        std::uint64_t limit_us = 0;
        if (::sd_watchdog_enabled(0, &limit_us) <= 0) co_return;
        asio::steady_timer pause{io_};
        for (;;) {
            ::sd_notify(0, "WATCHDOG=1");
            pause.expires_after(std::chrono::microseconds{limit_us / 3});
            auto outcome = co_await pause.async_wait(as_outcome);
            auto& [failed] = outcome;
            if (failed) co_return;
        }
    }

    // --- the data process

    Result<> start_data()
    {
        auto started = DataLink::start(io_);
        if (!started) return started.error();
        data_ = std::move(*started);
        data_since_ = std::chrono::steady_clock::now();
        data_ended_ = false;
        auto keep = [data = data_](std::exception_ptr bug) {
            if (bug) std::rethrow_exception(bug);
        };
        asio::co_spawn(io_, data_->follow(), std::move(keep));
        return {};
    }

    Task<void> follow_children()
    {
        for (;;) {
            auto outcome = co_await children_.async_wait(as_outcome);
            auto& [failed, number] = outcome;
            if (failed) co_return;
            int status = 0;
            for (int child = 0; (child = ::waitpid(-1, &status, WNOHANG)) > 0;)
                if (data_ != nullptr && child == data_->process_id()) data_ended(status);
        }
    }

    void data_ended(int status)
    {
        data_ended_ = true;
        data_->reaped();
        if (stopping_) {
            if (drained_ != nullptr) drained_->cancel();
            return;
        }
        log::error("the data process ended by " +
                   (WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                        : "exit " + std::to_string(WEXITSTATUS(status))) +
                   "; starting the next one");
        if (loaded_ != nullptr) asio::co_spawn(io_, revive(), end_on_bug);
    }

    /// The listening sockets were never closed: clients that come meanwhile wait in their queues.
    Task<void> revive()
    {
        if (std::chrono::steady_clock::now() - data_since_ > steady_after) restart_pause_ = first_restart_pause;
        if (restart_pause_ > 0ms) {
            asio::steady_timer pause{io_, restart_pause_};
            auto outcome = co_await pause.async_wait(as_outcome);
            (void)outcome;
        }
        restart_pause_ = std::min<std::chrono::milliseconds>(
            std::max<std::chrono::milliseconds>(restart_pause_ * 2, 100ms), longest_restart_pause);
        ++data_restarts_;
        while (reloading_) co_await wait(20ms); // it fails by itself: its data process has gone
        if (stopping_) co_return;
        reloading_ = true;
        const auto revived = co_await start_again();
        reloading_ = false;
        if (revived) {
            log::info("the data process serves again");
            co_return;
        }
        log::error("the next data process does not serve: " + revived.error().what);
        if (data_ended_)
            asio::co_spawn(io_, revive(), end_on_bug); // it never began
        else
            data_->kill(); // its end brings us here again
    }

    Task<Result<>> start_again()
    {
        const auto started = start_data();
        if (!started) co_return started.error();
        const auto prepared = co_await order_prepare(*loaded_, names_of(held_));
        if (!prepared) co_return prepared.error();
        const auto committed = co_await order_commit(names_of(held_), held_);
        if (!committed) co_return committed.error();
        co_return Result<>{};
    }

    Task<void> wait(std::chrono::milliseconds time)
    {
        asio::steady_timer pause{io_, time};
        auto outcome = co_await pause.async_wait(as_outcome);
        (void)outcome;
    }

    static std::vector<link::SocketName> names_of(const HeldSockets& sockets)
    {
        std::vector<link::SocketName> names;
        for (const auto& socket : sockets) names.push_back(socket.name);
        return names;
    }

    Task<Result<std::string>> order_prepare(const Loaded& loaded, std::vector<link::SocketName> sockets)
    {
        link::Order order;
        order.generation = generation_ + 1;
        order.workers = workers_;
        order.log_level = static_cast<int>(options_.level.value_or(loaded.settings.control.level));
        for (const auto& source : loaded.sources) order.sources.push_back({source.name, source.text});
        order.sockets = std::move(sockets);
        auto text = link::encode(order);
        const auto data = data_; // stays to the end of the call, whatever comes after it
        co_return co_await data->ask(link::Kind::prepare, std::move(text), {}, settings_.prepare_limit);
    }

    Task<Result<std::string>> order_commit(std::vector<link::SocketName> sockets, const HeldSockets& added)
    {
        link::Order order;
        order.generation = ++generation_;
        order.workers = workers_;
        order.sockets = std::move(sockets);
        order.added = names_of(added);
        std::vector<Descriptor> descriptors;
        for (const auto& socket : added) descriptors.emplace_back(::dup(socket.socket.number()));
        auto text = link::encode(order);
        const auto data = data_;
        co_return co_await data->ask(link::Kind::commit, std::move(text), std::move(descriptors),
                                     settings_.commit_limit);
    }

    // --- configurations: built, then rules, then swapped; a failure leaves everything as it was

    Task<Result<>> apply(Loaded next)
    {
        const auto& settings = next.settings;
        const auto fixed = check_fixed(settings);
        if (!fixed) co_return fixed.error();
        auto change = open_missing(held_, settings.listeners, workers_, settings.intake, settings.netfilter.own_mark);
        if (!change) co_return Error{Fault::system, Side::gateway, describe(change.error()), {}};
        auto sockets = names_of(change->opened);
        for (const auto index : change->kept) sockets.push_back(held_[index].name);

        const auto prepared = co_await order_prepare(next, sockets);
        if (!prepared) co_return prepared.error();
        if (stopping_) co_return Error{Fault::closed, Side::gateway, "the gateway is stopping", {}};
        const auto installed = install_rules(settings, sockets);
        if (!installed) {
            const auto data = data_;
            const auto abandoned = co_await data->ask(link::Kind::abandon, {}, {}, settings_.commit_limit);
            (void)abandoned;
            co_return Error{Fault::system, Side::gateway, "rules: " + describe(installed.error()), {}};
        }
        const auto committed = co_await order_commit(std::move(sockets), change->opened);
        if (!committed) {
            if (loaded_ != nullptr) {
                const auto restored = install_rules(loaded_->settings, names_of(held_));
                if (!restored) log::error("rules: " + describe(restored.error()));
            }
            co_return committed.error();
        }
        HeldSockets held = std::move(change->opened);
        for (const auto index : change->kept) held.push_back(std::move(held_[index]));
        held_ = std::move(held); // those that no listener needs any more close here
        loaded_ = std::make_unique<Loaded>(std::move(next));
        co_return Result<>{};
    }

    /// What only a start can change is refused, not ignored.
    Result<> check_fixed(const config::Settings& next) const
    {
        if (loaded_ == nullptr) return {};
        const auto& now = loaded_->settings;
        std::string changed;
        const auto note = [&](bool same, const char* name) {
            if (!same) changed += (changed.empty() ? "" : ", ") + std::string{name};
        };
        note(now.control.workers == next.control.workers, "workers");
        note(now.control.socket == next.control.socket, "admin.socket");
        note(now.control.group == next.control.group, "admin.group");
        note(now.netfilter == next.netfilter, "kernel");
        if (changed.empty()) return {};
        return Error{Fault::refused,
                     Side::gateway,
                     changed + ": takes effect at a start only; restart the gateway, or leave it as it is",
                     {}};
    }

    Result<> install_rules(const config::Settings& settings, const std::vector<link::SocketName>& sockets)
    {
        auto captures = captures_of(settings.listeners, sockets);
        if (captures.empty()) {
            remove_rules();
            plan_ = {};
            return {};
        }
        if (installer_ == nullptr) {
            auto opened = netfilter::Installer::open(settings.netfilter);
            if (!opened) return opened.error();
            const auto swept = (*opened)->sweep();
            if (!swept) return swept.error();
            installer_ = std::move(*opened);
        }
        auto present = netfilter::present_interfaces();
        if (!present) return present.error();
        auto plan = netfilter::make_plan(settings.netfilter, std::move(captures), std::move(*present));
        const auto installed = installer_->install(plan);
        if (!installed) return installed.error();
        plan_ = std::move(plan);
        return {};
    }

    struct Reloaded {
        bool ok = false;
        Rejection rejection;
    };

    Task<Reloaded> reload()
    {
        Reloaded outcome;
        if (reloading_ || stopping_ || loaded_ == nullptr) {
            outcome.rejection.text = stopping_ ? "the gateway is stopping" : "another reload is under way";
            co_return outcome;
        }
        reloading_ = true;
        timespec now{};
        ::clock_gettime(CLOCK_MONOTONIC, &now);
        ::sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
                     static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000);
        auto loading = load(options_.config_file);
        if (auto* rejected = std::get_if<Rejection>(&loading)) {
            outcome.rejection = std::move(*rejected);
        } else {
            auto next = std::move(std::get<Loaded>(loading));
            const auto metrics_before = loaded_->settings.control.metrics;
            auto applied = server_.open_metrics(next.settings.control.metrics);
            if (applied) applied = co_await apply(std::move(next));
            outcome.ok = applied.has_value();
            if (!applied) {
                outcome.rejection.text = applied.error().what;
                const auto restored = server_.open_metrics(metrics_before);
                if (!restored) log::error(describe(restored.error()));
            }
        }
        if (outcome.ok) {
            log::set_level(options_.level.value_or(loaded_->settings.control.level));
            log::info("configuration " + std::to_string(generation_) + " is in force");
        } else {
            log::error("reload refused, the configuration in force stays:\n" + outcome.rejection.text);
        }
        ::sd_notify(0, "READY=1");
        last_reload_ = {{"at", static_cast<std::int64_t>(std::time(nullptr))},
                        {"ok", outcome.ok},
                        {"error", outcome.ok ? "" : outcome.rejection.text}};
        reloading_ = false;
        co_return outcome;
    }

    // --- questions

    Task<link::Answer> respond(std::string method, std::string target)
    {
        const auto path = target.substr(0, target.find('?'));
        if (path == "/v1/reload") {
            if (method != "POST") co_return json_answer(405, {{"error", "reload is a POST"}});
            const auto outcome = co_await reload();
            if (outcome.ok) co_return json_answer(200, {{"ok", true}, {"generation", generation_}});
            co_return json_answer(
                422, {{"ok", false}, {"error", outcome.rejection.text}, {"problems", outcome.rejection.problems}});
        }
        if (method != "GET") co_return json_answer(405, {{"error", "this is a GET"}});
        if (path == "/v1/version") co_return json_answer(200, {{"version", options_.version}, {"pid", ::getpid()}});
        if (path == "/v1/rules") co_return rules_answer();
        if (data_ == nullptr || loaded_ == nullptr)
            co_return json_answer(503, {{"error", "the gateway is still starting"}});
        const bool status = path == "/v1/status";
        const auto data = data_;
        auto answered = co_await data->ask(link::Kind::ask, std::move(target), {}, settings_.ask_limit);
        if (!answered && !status) co_return json_answer(503, {{"error", answered.error().what}});
        auto answer = answered ? link::decode_answer(*answered) : Result<link::Answer>{answered.error()};
        if (status) co_return status_answer(answer);
        if (!answer) co_return json_answer(503, {{"error", answer.error().what}});
        co_return *answer;
    }

    std::string missing_rules()
    {
        if (installer_ == nullptr) return {};
        const auto missing = installer_->missing();
        return missing ? *missing : describe(missing.error());
    }

    link::Answer rules_answer()
    {
        const bool installed = installer_ != nullptr;
        return json_answer(200, {{"installed", installed},
                                 {"missing", missing_rules()},
                                 {"nft", installed ? netfilter::nft_text(plan_) : ""},
                                 {"ip", installed ? netfilter::ip_text(plan_) : ""}});
    }

    /// The data process's part, and ours around it. Answers even while the data process does not.
    link::Answer status_answer(const Result<link::Answer>& data)
    {
        auto inner = data && data->status == 200 ? Json::parse(data->body, nullptr, false) : Json::object();
        if (inner.is_discarded()) inner = Json::object();
        auto problems = inner.value("problems", Json::array());
        if (!data) problems.push_back("data process: " + data.error().what);
        const auto missing = missing_rules();
        if (!missing.empty()) problems.push_back("rules: " + missing);
        if (last_reload_.is_object() && !last_reload_.value("ok", true))
            problems.push_back("the last reload was refused");
        const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began_);
        Json status{{"version", options_.version},
                    {"pid", ::getpid()},
                    {"data_pid", data_->process_id()},
                    {"data_restarts", data_restarts_},
                    {"config_file", options_.config_file},
                    {"generation", generation_},
                    {"started", began_at_},
                    {"uptime_seconds", uptime.count()},
                    {"state", problems.empty() ? "ok" : "degraded"},
                    {"rules",
                     {{"installed", installer_ != nullptr},
                      {"backend", "nft"},
                      {"table", "inet " + loaded_->settings.netfilter.table},
                      {"missing", missing}}},
                    {"last_reload", last_reload_}};
        for (auto& [name, value] : inner.items())
            if (!status.contains(name)) status[name] = value;
        status["problems"] = problems;
        return json_answer(200, status);
    }

    Options options_;
    Settings settings_;
    asio::io_context io_{1};
    asio::signal_set signals_;
    asio::signal_set children_;
    DeadlineWheel wheel_;
    ControlServer server_;
    std::shared_ptr<DataLink> data_;
    std::unique_ptr<netfilter::Installer> installer_;
    netfilter::Plan plan_;
    HeldSockets held_;
    std::unique_ptr<Loaded> loaded_; // in force
    std::uint64_t generation_ = 0;
    std::size_t workers_ = 1;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    std::int64_t began_at_ = std::time(nullptr);
    std::chrono::steady_clock::time_point data_since_{};
    std::chrono::milliseconds restart_pause_{first_restart_pause};
    std::uint64_t data_restarts_ = 0;
    asio::steady_timer* drained_ = nullptr;
    bool data_ended_ = true;
    bool reloading_ = false;
    bool stopping_ = false;
    bool ending_ = false;
    Json last_reload_;
    int status_ = 0;
};

} // namespace

int run(const Options& options)
{
    log::set_process("gatewayd");
    std::signal(SIGPIPE, SIG_IGN);
    Keeper keeper{options};
    return keeper.run();
}

} // namespace gw::keeper
