#include "netfilter/program.h"

#include "gateway/base/descriptor.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gw::netfilter {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t longest_output = 64 * 1024 * 1024; // the rules of a host with ten thousand services are a tenth
constexpr std::string_view usual_folders = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin";

/// One end of each stream; the other is the program's. Sockets: writing to one that nobody reads is no signal.
struct Streams {
    std::array<Descriptor, 3> ours;
    std::array<Descriptor, 3> theirs;
};

Result<Streams> open_streams()
{
    Streams streams;
    for (std::size_t at = 0; at < 3; ++at) {
        int pair[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return system_error("a pair of sockets");
        streams.ours[at].reset(pair[0]);
        streams.theirs[at].reset(pair[1]);
    }
    return streams;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts)
{
    std::vector<char*> pointers;
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

Result<pid_t> start(std::vector<std::string> words, const Streams& streams, std::vector<std::string> environment)
{
    for (char** each = ::environ; *each != nullptr; ++each) environment.emplace_back(*each);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    for (std::size_t at = 0; at < 3; ++at)
        ::posix_spawn_file_actions_adddup2(&actions, streams.theirs[at].number(), static_cast<int>(at));
    // What this process ignores or holds back is no business of the program's.
    sigset_t all, none;
    ::sigfillset(&all);
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    pid_t child = 0;
    const int failed = ::posix_spawn(&child, words[0].c_str(), &actions, &attributes, pointers_to(words).data(),
                                     pointers_to(environment).data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    if (failed != 0)
        return Error{Fault::system, Side::gateway, "starting " + words[0], {failed, boost::system::system_category()}};
    return child;
}

/// False: the stream has ended.
bool read_some(const Descriptor& from, std::string& into)
{
    std::array<char, 16 * 1024> buffer;
    const auto size = ::recv(from.number(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size > 0) into.append(buffer.data(), static_cast<std::size_t>(size));
    return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
}

void write_some(Descriptor& into, std::string_view& input)
{
    const auto size = ::send(into.number(), input.data(), input.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size >= 0) input.remove_prefix(static_cast<std::size_t>(size));
    const bool gone = size < 0 && errno != EAGAIN && errno != EINTR; // it has read what it wanted
    if (input.empty() || gone) into.reset();
}

/// False: it took too long, or said too much.
bool talk(Streams& streams, std::string_view input, Clock::time_point until, Ran& ran)
{
    auto& [in, out, err] = streams.ours;
    if (input.empty()) in.reset();
    while (out.is_open() || err.is_open()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
        if (left <= 0 || ran.out.size() + ran.err.size() > longest_output) return false;
        pollfd waiting[] = {{in.number(), POLLOUT, 0}, {out.number(), POLLIN, 0}, {err.number(), POLLIN, 0}};
        if (::poll(waiting, 3, static_cast<int>(left)) < 0 && errno != EINTR) return false;
        if (in.is_open() && waiting[0].revents != 0) write_some(in, input);
        if (out.is_open() && waiting[1].revents != 0 && !read_some(out, ran.out)) out.reset();
        if (err.is_open() && waiting[2].revents != 0 && !read_some(err, ran.err)) err.reset();
    }
    return true;
}

/// Its streams are closed, so it is about to end. None: it does not.
std::optional<int> end_of(pid_t child, Clock::time_point until)
{
    for (;;) {
        int status = 0;
        const auto ended = ::waitpid(child, &status, WNOHANG);
        if (ended == child) return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        if (ended < 0 && errno != EINTR) return std::nullopt;
        if (Clock::now() >= until) return std::nullopt;
        ::poll(nullptr, 0, 1);
    }
}

/// The line that a message like "line: 12" or "line 12 failed" means; the last one it names.
std::string line_meant(const std::string& message, const std::string& text)
{
    const auto at = message.rfind("line");
    const auto digits = at == std::string::npos ? at : message.find_first_of("0123456789", at);
    if (digits == std::string::npos) return {};
    auto number = std::strtoul(message.c_str() + digits, nullptr, 10);
    std::size_t begin = 0;
    for (; number > 1 && begin != std::string::npos; --number) {
        begin = text.find('\n', begin);
        if (begin != std::string::npos) ++begin;
    }
    if (begin == std::string::npos) return {};
    return text.substr(begin, text.find('\n', begin) - begin);
}

std::string one_line(std::string text)
{
    constexpr std::size_t longest = 400;
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    for (char& letter : text)
        if (static_cast<unsigned char>(letter) < ' ') letter = ' ';
    return text.substr(0, longest);
}

} // namespace

std::string program_file(std::string_view name)
{
    const char* path = ::getenv("PATH");
    const std::string folders =
        (path == nullptr ? std::string() : std::string(path) + ':') + std::string(usual_folders);
    std::string_view rest = folders;
    while (!rest.empty()) {
        const auto end = std::min(rest.find(':'), rest.size());
        const auto folder = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (!folder.starts_with('/')) continue;
        const std::string file = std::string(folder) + '/' + std::string(name);
        if (::access(file.c_str(), X_OK) == 0) return file;
    }
    return {};
}

Result<Ran> run_program(const std::vector<std::string>& words, std::string_view input, std::chrono::milliseconds limit,
                        const std::vector<std::string>& environment)
{
    const auto until = Clock::now() + limit;
    auto streams = open_streams();
    if (!streams) return streams.error();
    const auto child = start(words, *streams, environment);
    if (!child) return child.error();
    for (Descriptor& each : streams->theirs) each.reset();
    Ran ran;
    const bool ended = talk(*streams, input, until, ran);
    if (const auto status = ended ? end_of(*child, until) : std::nullopt) {
        ran.status = *status;
        return ran;
    }
    ::kill(*child, SIGKILL);
    while (::waitpid(*child, nullptr, 0) < 0 && errno == EINTR) {
    }
    return Error{Fault::timed_out, Side::gateway, words[0] + " did not end in time"};
}

Result<std::string> output_of(const std::vector<std::string>& words, const std::string& input,
                              std::chrono::milliseconds limit, const std::vector<std::string>& environment)
{
    auto ran = run_program(words, input, limit, environment);
    if (!ran) return ran.error();
    if (ran->status == 0) return std::move(ran->out);
    std::string what =
        words[0] + ": " + (ran->err.empty() ? "status " + std::to_string(ran->status) : one_line(ran->err));
    if (const auto line = line_meant(ran->err, input); !line.empty()) what += " [" + line + ']';
    return Error{Fault::system, Side::gateway, std::move(what)};
}

} // namespace gw::netfilter
