#include "tests/support/lab_process.h"

#include <array>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <set>
#include <sstream>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char** environ;

namespace gw::lab {

namespace {

std::mutex own_children_mutex;
std::set<int> own_children;

// Who lost its parent comes to us, so that `orphans` can tell what a program left behind.
const bool adopts_orphans = ::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;

std::vector<char*> pointers_to(std::vector<std::string>& texts)
{
    std::vector<char*> pointers;
    for (auto& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

constexpr int first_handed_over = 3; // SD_LISTEN_FDS_START

/// Descriptors for a program, out of the way of those it will see, and where its process id has to be written.
struct HandedOver {
    std::vector<Descriptor> copies;
    char* process_id = nullptr;
};

HandedOver copies_of(const Process::Place& place)
{
    HandedOver all;
    for (const auto& [name, number] : place.descriptors)
        all.copies.emplace_back(::fcntl(number, F_DUPFD_CLOEXEC, first_handed_over + 512));
    return all;
}

/// What sd_listen_fds(3) reads; the process id is not known yet.
std::vector<std::string> variables_for(const Process::Place& place)
{
    if (place.descriptors.empty()) return {};
    std::string names;
    for (const auto& each : place.descriptors) names += (names.empty() ? "" : ":") + each.first;
    return {"LISTEN_FDS=" + std::to_string(place.descriptors.size()), "LISTEN_FDNAMES=" + names,
            "LISTEN_PID=0000000000"};
}

// After fork: only calls that are safe there.
void hand_over(const HandedOver& all)
{
    for (std::size_t i = 0; i < all.copies.size(); ++i)
        ::dup2(all.copies[i].number(), first_handed_over + static_cast<int>(i));
    if (all.process_id == nullptr) return;
    std::array<char, 10> digits;
    auto at = digits.end();
    for (int rest = ::getpid(); rest > 0; rest /= 10) *--at = static_cast<char>('0' + rest % 10);
    *std::copy(at, digits.end(), all.process_id) = '\0';
}

[[noreturn]] void become(const char* program, char* const* arguments, char* const* environment, int network, int out,
                         int err, int parent, const HandedOver& handed_over)
{
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(125);
    if (network >= 0 && ::setns(network, CLONE_NEWNET) != 0) ::_exit(126);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(nothing, STDIN_FILENO);
    hand_over(handed_over);
    ::execvpe(program, arguments, environment);
    ::_exit(127);
}

Command as_user(Command command, const Process::Place& place)
{
    if (place.user == 0) return command;
    const auto id = std::to_string(place.user);
    Command wrapped{"setpriv", "--reuid", id, "--regid", id, "--clear-groups"};
    if (!place.capabilities.empty()) {
        std::string plus;
        std::istringstream names(place.capabilities);
        for (std::string name; std::getline(names, name, ',');) plus += (plus.empty() ? "+" : ",+") + name;
        wrapped.insert(wrapped.end(), {"--inh-caps", plus, "--ambient-caps", plus, "--bounding-set", "-all," + plus});
    }
    wrapped.insert(wrapped.end(), {"--no-new-privs", "--pdeathsig", "KILL", "--"});
    wrapped.insert(wrapped.end(), command.begin(), command.end());
    return wrapped;
}

void reap_orphan(int id) { ::waitpid(id, nullptr, WNOHANG); }

} // namespace

bool eventually(const std::function<bool()>& condition, Milliseconds limit)
{
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(Milliseconds{5});
    }
    return true;
}

Folder::Folder()
{
    auto pattern = "/tmp/gwlab-" + std::to_string(::getpid()) + "-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) ADD_FAILURE() << "mkdtemp: " << std::strerror(errno);
    at_ = pattern;
    std::filesystem::permissions(at_, std::filesystem::perms{0755});
}

Folder::~Folder()
{
    std::error_code ignored;
    std::filesystem::remove_all(at_, ignored);
}

std::string Folder::write(std::string_view file, std::string_view text) const
{
    std::ofstream(path(file), std::ios::binary | std::ios::trunc) << text;
    return path(file);
}

std::string read_file(const std::string& path)
{
    // Not by a stream: reading below /proc fails when the process ends meanwhile, and a stream's iterator throws then.
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    std::array<char, 16 * 1024> piece;
    for (ssize_t count = 0; (count = ::read(file.number(), piece.data(), piece.size())) > 0;)
        text.append(piece.data(), static_cast<std::size_t>(count));
    return text;
}

Process::Process(Command command, Place place) : command_(as_user(std::move(command), place))
{
    int out[2], err[2];
    if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) {
        ADD_FAILURE() << "pipe: " << std::strerror(errno);
        return;
    }
    out_pipe_.reset(out[0]);
    err_pipe_.reset(err[0]);
    Descriptor out_end(out[1]), err_end(err[1]);

    auto handed_over = copies_of(place);
    auto environment = variables_for(place);
    environment.insert(environment.end(), place.environment.begin(), place.environment.end());
    const auto is_given = [&](std::string_view variable) {
        const auto name = variable.substr(0, variable.find('=') + 1);
        return std::any_of(place.environment.begin(), place.environment.end(),
                           [&](const auto& given) { return given.starts_with(name); });
    };
    for (char** each = environ; *each != nullptr; ++each)
        if (!is_given(*each)) environment.emplace_back(*each);
    auto arguments = pointers_to(command_);
    auto variables = pointers_to(environment);
    if (!place.descriptors.empty()) handed_over.process_id = variables[2] + std::string_view("LISTEN_PID=").size();
    const int parent = ::getpid();
    id_ = ::fork();
    if (id_ == 0)
        become(arguments[0], arguments.data(), variables.data(), place.network, out[1], err[1], parent, handed_over);
    ended_.reset(static_cast<int>(::syscall(SYS_pidfd_open, id_, 0)));
    {
        const std::lock_guard lock(own_children_mutex);
        own_children.insert(id_);
    }
    reader_ = std::thread([this] { collect(); });
}

Process::~Process()
{
    if (running()) {
        ::kill(id_, SIGKILL);
        wait();
    }
    // A grandchild may hold the pipes open for longer than we wish to wait.
    {
        const std::lock_guard lock(mutex_);
        finished_ = true;
    }
    if (reader_.joinable()) reader_.join();
    const std::lock_guard lock(own_children_mutex);
    own_children.erase(id_);
}

void Process::collect()
{
    std::array<char, 65536> bytes;
    std::array<pollfd, 2> waits{pollfd{out_pipe_.number(), POLLIN, 0}, pollfd{err_pipe_.number(), POLLIN, 0}};
    for (;;) {
        const int ready = ::poll(waits.data(), waits.size(), 50);
        const std::lock_guard lock(mutex_);
        if (ready == 0 && finished_) return;
        for (auto& each : waits) {
            if (each.revents == 0) continue;
            const auto count = ::read(each.fd, bytes.data(), bytes.size());
            auto& into = &each == &waits[0] ? out_ : err_;
            if (count > 0) into.append(bytes.data(), static_cast<std::size_t>(count));
            if (count <= 0) each.fd = -1;
        }
        if (waits[0].fd < 0 && waits[1].fd < 0) finished_ = true;
        changed_.notify_all();
        if (waits[0].fd < 0 && waits[1].fd < 0) return;
    }
}

bool Process::running()
{
    if (reaped_ || id_ <= 0) return false;
    int status = 0;
    if (::waitpid(id_, &status, WNOHANG) != id_) return true;
    reaped_ = true;
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return false;
}

void Process::signal(int number) const
{
    if (!reaped_ && id_ > 0) ::kill(id_, number);
}

Output Process::wait(Milliseconds limit)
{
    pollfd end{ended_.number(), POLLIN, 0};
    if (running() && ::poll(&end, 1, static_cast<int>(limit.count())) == 0) {
        ADD_FAILURE() << command_[0] << " did not end within " << limit.count() << " ms; it said:\n" << err();
        ::kill(id_, SIGKILL);
        ::poll(&end, 1, 5'000);
    }
    eventually([this] { return !running(); });
    // What it wrote last is still on its way to us; a child of it may keep the pipe open, so not for long.
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, Milliseconds{1'000}, [this] { return finished_; });
    return {exit_code_, out_, err_};
}

std::string Process::out() const
{
    const std::lock_guard lock(mutex_);
    return out_;
}

std::string Process::err() const
{
    const std::lock_guard lock(mutex_);
    return err_;
}

bool Process::wrote(const std::function<bool(const std::string&, const std::string&)>& condition, Milliseconds limit)
{
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, limit, [&] { return finished_ || condition(out_, err_); });
    return condition(out_, err_);
}

Output run(Command command, Process::Place place, Milliseconds limit)
{
    Process process(std::move(command), std::move(place));
    return process.wait(limit);
}

std::string run_well(Command command, Process::Place place)
{
    std::string text;
    for (const auto& word : command) text += word + ' ';
    auto output = run(std::move(command), std::move(place));
    EXPECT_EQ(output.exit_code, 0) << text << "\n" << output.err;
    return output.out;
}

std::vector<int> orphans()
{
    std::vector<int> found;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::ifstream children(task.path() / "children");
        for (int id = 0; children >> id;) {
            const std::lock_guard lock(own_children_mutex);
            if (own_children.contains(id)) continue;
            reap_orphan(id);
            if (::kill(id, 0) == 0) found.push_back(id);
        }
    }
    return found;
}

} // namespace gw::lab
