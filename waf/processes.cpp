#include "waf/processes.h"

#include "gateway/base/log.h"
#include "waf/link.h"
#include "waf/wire.h"
#include "waf/worker_inspector.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace gw::waf {

namespace {

constexpr int link_number = 3; // in the program that is started
constexpr std::chrono::seconds compile_limit{120};
constexpr std::chrono::milliseconds end_limit{2'000};
constexpr std::chrono::milliseconds restart_rest{1'000};

struct SpawnPlan {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;

    SpawnPlan()
    {
        ::posix_spawn_file_actions_init(&files);
        ::posix_spawnattr_init(&attributes);
    }
    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;
    ~SpawnPlan()
    {
        ::posix_spawn_file_actions_destroy(&files);
        ::posix_spawnattr_destroy(&attributes);
    }
};

// Starts `program` with `link` as its descriptor 3, no other descriptor, no signal blocked or ignored, no environment.
Result<pid_t> start_program(const std::string& program, int link)
{
    SpawnPlan plan;
    ::posix_spawn_file_actions_adddup2(&plan.files, link, link_number);
    ::posix_spawn_file_actions_addclosefrom_np(&plan.files, link_number + 1);
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&plan.attributes, &none);
    ::posix_spawnattr_setsigdefault(&plan.attributes, &all);
    ::posix_spawnattr_setflags(&plan.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::string name = program;
    std::string flag = "--link-fd";
    std::string number = std::to_string(link_number);
    std::array<char*, 4> words{name.data(), flag.data(), number.data(), nullptr};
    std::array<char*, 1> environment{nullptr};
    pid_t started = 0;
    const int failed =
        ::posix_spawn(&started, program.c_str(), &plan.files, &plan.attributes, words.data(), environment.data());
    if (failed == 0) return started;
    errno = failed;
    return system_error("start " + program);
}

struct Pair {
    Descriptor ours;
    Descriptor theirs;
};

Result<Pair> socket_pair(int type)
{
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) != 0) return system_error("socketpair");
    return Pair{Descriptor{ends[0]}, Descriptor{ends[1]}};
}

} // namespace

Processes::Processes(Settings settings, std::string program)
    : settings_(std::move(settings)), program_(std::move(program)), stop_(::eventfd(0, EFD_CLOEXEC))
{}

Processes::~Processes()
{
    const std::uint64_t one = 1;
    if (::write(stop_.number(), &one, sizeof(one)) < 0) log::error("inspector: the watcher cannot be told to end");
    if (watcher_.joinable()) watcher_.join();
}

Result<> Processes::begin()
{
    if (!stop_.is_open()) return system_error("eventfd");
    watcher_ = std::thread([this] { watch(); });
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

// The thread. It lives as long as inspectors are wanted: the template asks the kernel to end it with its parent thread.
void Processes::watch()
{
    for (;;) {
        auto started = start_template();
        const bool failed = !started;
        if (failed) log::error("inspector: " + describe(started.error()));
        const bool was_first = !std::exchange(reported_, true);
        report_first(std::move(started));
        if (failed && was_first) return;
        if (!failed) follow_notes();
        end_template();
        if (!rest_before_restart()) return;
        log::warning("inspector: the template ended, starting another");
        ++counters.restarts;
    }
}

Result<> Processes::start_template()
{
    auto pair = socket_pair(SOCK_SEQPACKET);
    if (!pair) return pair.error();
    const auto id = start_program(program_, pair->theirs.number());
    if (!id) return id.error();
    template_id_ = *id;
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
    if (!wait_readable(pending_.number()))
        return Error{Fault::timed_out, Side::gateway, "rules are not compiled in time"};
    auto report = receive_long(pending_.number());
    if (!report && report.error().fault == Fault::closed)
        return Error{Fault::system, Side::gateway, "gateway-inspector ended while it compiled the rules"};
    if (!report) return report;
    const std::string_view said{*report};
    if (said.starts_with(report_ok)) return std::string(said.substr(report_ok.size()));
    return Error{Fault::malformed, Side::gateway,
                 std::string(said.substr(std::min(said.size(), report_failed.size())))};
}

// False when the thread is to end, or nothing came in a compilation's time.
bool Processes::wait_readable(int fd)
{
    std::array<pollfd, 2> waiting{{{fd, POLLIN, 0}, {stop_.number(), POLLIN, 0}}};
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(compile_limit);
    int ready = 0;
    do ready = ::poll(waiting.data(), waiting.size(), static_cast<int>(limit.count()));
    while (ready < 0 && errno == EINTR);
    return ready > 0 && waiting[1].revents == 0;
}

void Processes::follow_notes()
{
    int link = -1;
    {
        const std::lock_guard lock{mutex_};
        link = link_.number(); // only this thread closes it
    }
    for (;;) {
        std::array<pollfd, 2> waiting{{{link, POLLIN, 0}, {stop_.number(), POLLIN, 0}}};
        if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) return;
        if (waiting[1].revents != 0) return;
        if (waiting[0].revents == 0) continue;
        const auto received = receive_note(link);
        if (!received && received.error().cause.value() == EINTR) continue;
        if (!received) return;
        take(received->note);
    }
}

void Processes::take(const Note& note)
{
    const std::lock_guard lock{mutex_};
    const auto known = live_.find(note.inspector);
    if (known == live_.end()) return;
    if (note.what == Note::What::spawned) known->second = note.process_id;
    if (note.what == Note::What::ended) live_.erase(known);
}

// With the link closed the template ends its inspectors and itself; one that does not is ended.
void Processes::end_template()
{
    {
        const std::lock_guard lock{mutex_};
        link_.reset();
    }
    pending_.reset();
    const pid_t id = template_id_.exchange(0);
    if (id == 0) return;
    const auto patience = Deadline::Clock::now() + end_limit;
    while (::waitpid(id, nullptr, WNOHANG) == 0) {
        if (Deadline::Clock::now() > patience) {
            if (::kill(id, SIGKILL) == 0) ::waitpid(id, nullptr, 0);
            return;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

// False when the thread is to end. A template that dies at once is not started in a tight loop.
bool Processes::rest_before_restart()
{
    const auto now = Deadline::Clock::now();
    const auto next = std::exchange(last_start_, now) + restart_rest;
    const auto rest = std::max(std::chrono::ceil<std::chrono::milliseconds>(next - now), std::chrono::milliseconds{0});
    pollfd waiting{stop_.number(), POLLIN, 0};
    return ::poll(&waiting, 1, static_cast<int>(rest.count())) == 0;
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
    live_[number] = 0;
    ++counters.inspectors;
    return Result<Fresh>(Fresh{number, std::move(pair->ours)});
}

void Processes::forget(std::uint64_t number, bool kill)
{
    const std::lock_guard lock{mutex_};
    live_.erase(number);
    --counters.inspectors;
    if (kill && link_.is_open()) send_note(link_.number(), {Note::What::end, 0, number});
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
    for (const auto& [number, id] : live_) {
        if (id != 0) ids.push_back(id);
    }
    return ids;
}

Result<std::shared_ptr<InspectorProcesses>> InspectorProcesses::start(const Settings& settings, std::string program)
{
    auto processes = std::make_shared<Processes>(settings, std::move(program));
    if (auto begun = processes->begin(); !begun) return begun.error();
    return std::shared_ptr<InspectorProcesses>(std::move(processes));
}

} // namespace gw::waf
