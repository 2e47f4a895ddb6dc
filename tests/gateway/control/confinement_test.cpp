#include "gateway/control/confinement.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <gtest/gtest.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gw::control {
namespace {

TEST(Confinement, LeavesNoWayToTheKeeperButTheLink)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "an instrumented build is not confined";
#endif
    std::array<int, 2> link{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const pid_t keeper = ::getppid();
        const auto refused = [](long answer) { return answer < 0 && errno == EPERM; };
        if (!confine_data_process()) ::_exit(10);
        if (!refused(::socket(AF_UNIX, SOCK_STREAM, 0)) || !refused(::socket(AF_UNIX, SOCK_DGRAM, 0))) ::_exit(11);
        if (!refused(::kill(keeper, 0)) || !refused(::syscall(SYS_pidfd_open, keeper, 0))) ::_exit(12);
        // One of a pair cannot be sent elsewhere: the name is not even looked at.
        std::array<int, 2> pair{};
        if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) != 0) ::_exit(13);
        sockaddr_un name{AF_UNIX, "/run/gateway/control.sock"};
        if (::connect(pair[0], reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) ::_exit(14);
        if (::write(link[1], "x", 1) != 1 || ::socket(AF_INET6, SOCK_STREAM, 0) < 0) ::_exit(15);
        ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    for (const int end : link) ::close(end);
}

TEST(Confinement, NamesNoCallThatReachesAnotherProcessByItsNumber)
{
    for (const std::string_view call :
         {"kill", "tkill", "ptrace", "process_vm_writev", "rt_sigqueueinfo", "pidfd_getfd"})
        EXPECT_TRUE(std::none_of(data_process_calls().begin(), data_process_calls().end(), [call](const char* allowed) {
            return allowed == call;
        })) << call;
}

} // namespace
} // namespace gw::control
