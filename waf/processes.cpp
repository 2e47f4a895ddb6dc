#include "waf/processes.h"

#include "gateway/base/log.h"
#include "waf/link.h"
#include "waf/program.h"
#include "waf/wire.h"
#include "waf/worker_inspector.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace gw::waf {

namespace {

constexpr std::chrono::seconds compile_limit{120};
constexpr std::chrono::milliseconds restart_rest{1'000};

void signal_event(const Descriptor& event)
{
    const std::uint64_t one = 1;
    if (::write(event.number(), &one, sizeof(one)) < 0) log::error("inspector: the watcher cannot be woken");
}

int poll_limit(Deadline::Clock::time_point until)
{
    if (until == Deadline::Clock::time_point::max()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Deadline::Clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

Descriptor watch_process(int id) { return Descriptor{static_cast<int>(::syscall(SYS_pidfd_open, id, 0))}; }

/// By its descriptor: signals to numbers are forbidden where this runs (confine.h).
void kill_process(const Descriptor& process)
{
    if (::syscall(SYS_pidfd_send_signal, process.number(), SIGKILL, nullptr, 0) != 0 && errno != ESRCH)
        log::error("inspector: " + describe(system_error("end a process")));
}

} // namespace

Processes::Processes(Settings settings, std::string program)
    : settings_(std::move(settings)), program_(std::move(program)), stop_(::eventfd(0, EFD_CLOEXEC)),
      asked_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
{}

Processes::~Processes()
{
    signal_event(stop_);
    if (watcher_.joinable()) watcher_.join();
}

Result<> Processes::begin_watching()
{
    if (!stop_.is_open() || !asked_.is_open()) return system_error("eventfd");
    watcher_ = std::thread([this] { watch(); });
    return {};
}

Result<> Processes::ready()
{
    std::unique_lock lock{mutex_};
    first_known_.wait(lock, [this] { return first_.has_value(); });
    return *first_;
}

void Processes::report_first(Result<> outcome)
{
    const std::lock_guard lock{mutex_};
    if (first_) return;
    first_ = std::move(outcome);
    first_known_.notify_all();
}

// The thread. It lives as long as inspectors are wanted: template and inspectors asked the kernel to end with it.
void Processes::watch()
{
    for (;;) {
        auto started = start_template();
        const bool failed = !started;
        if (failed && started.error().fault != Fault::closed) log::error("inspector: " + describe(started.error()));
        const bool was_first = !std::exchange(reported_, true);
        report_first(std::move(started));
        if (!failed) follow_notes();
        end_template();
        if ((failed && was_first) || !rest_before_restart()) break;
        log::warning("inspector: the template ended, starting another");
        ++counters.restarts;
    }
    end_all();
}

Result<> Processes::start_template()
{
    auto pair = socket_pair(SOCK_SEQPACKET);
    if (!pair) return pair.error();
    const auto id = start_program(program_, pair->theirs.number());
    if (!id) return id.error();
    template_id_ = *id;
    template_ = watch_process(*id);
    if (!template_.is_open()) return system_error("a descriptor of gateway-inspector");
    pair->theirs.reset();
    pending_ = std::move(pair->ours);
    std::string text;
    encode_settings(text, settings_);
    if (auto sent = send_long(pending_.number(), text); !sent) return sent.error();
    auto rules = await_report();
    if (!rules) return rules.error();
    const std::lock_guard lock{mutex_};
    rules_ = std::move(*rules);
    link_ = std::move(pending_);
    return {};
}

Result<std::string> Processes::await_report()
{
    const auto until = Deadline::Clock::now() + compile_limit;
    auto woken = Woken::other;
    while (woken == Woken::other && Deadline::Clock::now() < until) woken = wait(pending_.number(), until);
    if (woken == Woken::stop) return Error{Fault::closed, Side::gateway, "not wanted any more"};
    if (woken != Woken::link) return Error{Fault::timed_out, Side::gateway, "rules are not compiled in time"};
    auto report = receive_long(pending_.number());
    if (!report && report.error().fault == Fault::closed)
        return Error{Fault::system, Side::gateway, "gateway-inspector ended while it compiled the rules"};
    if (!report) return report;
    const std::string_view said{*report};
    if (said.starts_with(report_ok)) return std::string(said.substr(report_ok.size()));
    return Error{Fault::malformed, Side::gateway,
                 std::string(said.substr(std::min(said.size(), report_failed.size())))};
}

// Waits for the link (-1: none), the end of the thread, or anything else worth another look; reaps what ended.
Processes::Woken Processes::wait(int link, Time until)
{
    std::vector<pollfd> waiting{{link, POLLIN, 0}, {stop_.number(), POLLIN, 0}, {asked_.number(), POLLIN, 0}};
    {
        const std::lock_guard lock{mutex_};
        for (const auto& [number, made] : made_) waiting.push_back({made.process.number(), POLLIN, 0});
    }
    if (::poll(waiting.data(), waiting.size(), poll_limit(until)) < 0) return Woken::other;
    reap();
    if (waiting[1].revents != 0) return Woken::stop;
    if (waiting[0].revents != 0) return Woken::link;
    std::uint64_t ignored = 0;
    if (waiting[2].revents != 0 && ::read(asked_.number(), &ignored, sizeof(ignored)) < 0) return Woken::other;
    return Woken::other;
}

// Only those whose number was told: one that comes with a note still under way must not be anyone else's by then.
void Processes::reap()
{
    const std::lock_guard lock{mutex_};
    std::erase_if(made_, [](const auto& one) {
        const pid_t id = one.second.process_id;
        return id != 0 && ::waitpid(id, nullptr, WNOHANG) != 0;
    });
}

Processes::Time Processes::template_answers_by() const
{
    auto first = Time::max();
    const std::lock_guard lock{mutex_};
    for (const auto& [number, made] : made_) first = std::min(first, made.answer_by);
    return first;
}

// Ends when the template is dead, hangs, or is not wanted any more.
void Processes::follow_notes()
{
    int link = -1;
    {
        const std::lock_guard lock{mutex_};
        link = link_.number(); // only this thread closes it
    }
    for (;;) {
        const auto until = template_answers_by();
        const auto woken = wait(link, until);
        if (woken == Woken::stop) return;
        if (woken == Woken::link) {
            const auto received = receive_note(link);
            if (!received && received.error().cause.value() == EINTR) continue;
            if (!received) return;
            take(received->note);
        } else if (Deadline::Clock::now() >= until) {
            log::error("inspector: the template hangs");
            return;
        }
    }
}

// The answer to `spawn`; without a process id when there could be no process.
void Processes::take(const Note& note)
{
    const std::lock_guard lock{mutex_};
    const auto known = made_.find(note.inspector);
    if (known == made_.end() || note.what != Note::What::spawned) return;
    auto& made = known->second;
    if (note.process_id <= 0) {
        made_.erase(known);
        return;
    }
    made.answer_by = Time::max();
    made.process_id = note.process_id;
    made.process = watch_process(note.process_id);
    if (!made.wanted) kill_process(made.process);
}

// At once: it holds nothing that is worth a farewell, and one that is stopped hears only this.
void Processes::end_template()
{
    pending_.reset();
    if (const pid_t id = template_id_.exchange(0); id != 0) {
        kill_process(template_);
        template_.reset();
        ::waitpid(id, nullptr, 0);
    }
    Descriptor link;
    {
        const std::lock_guard lock{mutex_};
        link = std::move(link_);
    }
    if (link.is_open()) ::fcntl(link.number(), F_SETFL, O_NONBLOCK); // an inspector may just be about to say its word
    while (link.is_open()) {
        const auto received = receive_note(link.number());
        if (!received) break;
        take(received->note);
    }
    const std::lock_guard lock{mutex_};
    // This thread's own children only, also those that no note told of.
    for (pid_t gone = 0; (gone = ::waitpid(-1, nullptr, WNOHANG | __WNOTHREAD)) > 0;)
        std::erase_if(made_, [gone](const auto& one) { return one.second.process_id == gone; });
    for (auto& [number, made] : made_) made.answer_by = Time::max();
    std::erase_if(made_, [](const auto& one) { return one.second.process_id == 0 && !one.second.wanted; });
}

void Processes::end_all()
{
    const std::lock_guard lock{mutex_};
    for (const auto& [number, made] : made_) {
        if (made.process_id == 0) continue;
        kill_process(made.process);
        ::waitpid(made.process_id, nullptr, 0);
    }
    made_.clear();
}

// False when the thread is to end. A template that dies at once is not started in a tight loop.
bool Processes::rest_before_restart()
{
    const auto now = Deadline::Clock::now();
    const auto until = std::exchange(last_start_, now) + restart_rest;
    auto woken = wait(-1, now);
    while (woken != Woken::stop && Deadline::Clock::now() < until) woken = wait(-1, until);
    return woken != Woken::stop;
}

Result<Processes::Fresh> Processes::spawn()
{
    auto pair = socket_pair(SOCK_STREAM);
    if (!pair) return pair.error();
    const int flags = ::fcntl(pair->ours.number(), F_GETFL);
    if (::fcntl(pair->ours.number(), F_SETFL, flags | O_NONBLOCK) != 0) return system_error("non-blocking");
    const auto number = next_number_.fetch_add(1);
    const std::lock_guard lock{mutex_};
    if (!link_.is_open()) return Error{Fault::closed, Side::gateway, "no template to make an inspector"};
    const auto sent = send_note(link_.number(), {Note::What::spawn, 0, number}, pair->theirs.number());
    if (!sent) return sent.error();
    made_[number].answer_by = Deadline::Clock::now() + settings_.deadline / 2;
    signal_event(asked_);
    ++counters.inspectors;
    return Result<Fresh>(Fresh{number, std::move(pair->ours)});
}

void Processes::forget(std::uint64_t number)
{
    const std::lock_guard lock{mutex_};
    --counters.inspectors;
    const auto known = made_.find(number);
    if (known == made_.end()) return;
    auto& made = known->second;
    made.wanted = false;
    if (made.process_id != 0) return kill_process(made.process);
    if (made.answer_by == Time::max()) made_.erase(known); // its template died before it could tell
}

std::unique_ptr<Inspector> Processes::for_worker(asio::io_context& io, DeadlineWheel& wheel)
{
    return make_worker_inspector(io, wheel, shared_from_this());
}

InspectorProcesses::Status Processes::status() const
{
    Status status;
    status.inspectors = counters.inspectors.load();
    status.restarts = counters.restarts.load();
    status.inspected = counters.inspected.load();
    status.blocked = counters.blocked.load();
    status.failed = counters.failed.load();
    const std::lock_guard lock{mutex_};
    status.rules = rules_;
    return status;
}

std::vector<int> Processes::process_ids() const
{
    std::vector<int> ids;
    const std::lock_guard lock{mutex_};
    for (const auto& [number, made] : made_) {
        if (made.process_id != 0 && made.wanted) ids.push_back(made.process_id);
    }
    return ids;
}

Result<std::shared_ptr<InspectorProcesses>> InspectorProcesses::begin(const Settings& settings, std::string program)
{
    auto processes = std::make_shared<Processes>(settings, std::move(program));
    if (auto begun = processes->begin_watching(); !begun) return begun.error();
    return std::shared_ptr<InspectorProcesses>(std::move(processes));
}

Result<std::shared_ptr<InspectorProcesses>> InspectorProcesses::start(const Settings& settings, std::string program)
{
    auto begun = begin(settings, std::move(program));
    if (!begun) return begun;
    if (auto compiled = (*begun)->ready(); !compiled) return compiled.error();
    return begun;
}

} // namespace gw::waf
