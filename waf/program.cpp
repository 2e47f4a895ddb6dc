#include "waf/program.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <spawn.h>
#include <sys/socket.h>

namespace gw::waf {

namespace {

constexpr int link_number = 3; // in the program that is started

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

} // namespace

// Everything here is close-on-exec, and the program closes whatever it finds open beside the link.
Result<pid_t> start_program(const std::string& program, int link)
{
    SpawnPlan plan;
    ::posix_spawn_file_actions_adddup2(&plan.files, link, link_number);
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&plan.attributes, &none);
    ::posix_spawnattr_setsigdefault(&plan.attributes, &all);
    ::posix_spawnattr_setflags(&plan.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::string name = "gateway-inspector";
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

Result<Pair> socket_pair(int type)
{
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) != 0) return system_error("socketpair");
    return Pair{Descriptor{ends[0]}, Descriptor{ends[1]}};
}

} // namespace gw::waf
