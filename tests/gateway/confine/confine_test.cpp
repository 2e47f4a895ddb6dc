// Each test gives something up in a child of its own, and tries there what must not work any more.

#include "gateway/confine/confine.h"

#include "tests/support/child.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <functional>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gw::confine {

namespace {

using lab::in_a_child;

std::uint64_t effective_capabilities()
{
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> held{};
    ::syscall(SYS_capget, &header, held.data());
    return held[0].effective | (std::uint64_t{held[1].effective} << 32);
}

bool is_root() { return ::geteuid() == 0; }

TEST(Confine, LeavesOnlyTheCapabilitiesAskedForAndNotRoot)
{
    if (!is_root()) GTEST_SKIP() << "needs root, to have something to give up";
    const int went = in_a_child([] {
        constexpr auto kept = std::uint64_t{1} << CAP_NET_RAW;
        if (!leave_privileges(kept, nullptr)) return 10;
        if (effective_capabilities() != kept) return 11;
        if (::geteuid() == 0 || ::getuid() == 0 || ::getegid() == 0 || ::getgroups(0, nullptr) != 0) return 12;
        if (::setuid(0) == 0) return 13;
        if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return 14;
        const int raw = ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
        if (raw < 0) return 15;
        return ::open("/etc/shadow", O_RDONLY) >= 0 ? 16 : 0;
    });
    EXPECT_EQ(went, 0);
}

TEST(Confine, BecomesTheUserThatIsNamed)
{
    if (!is_root()) GTEST_SKIP() << "needs root, to become somebody else";
    const int went = in_a_child([] {
        if (!leave_privileges(0, "daemon")) return 10;
        if (::geteuid() == 0 || ::geteuid() == 65534 || effective_capabilities() != 0) return 11;
        return ::getegid() == 65534 && ::getgroups(0, nullptr) == 0 ? 0 : 12;
    });
    EXPECT_EQ(went, 0);
}

TEST(Confine, KeepsCapabilitiesForItselfAndForWhatItStarts)
{
    if (!is_root()) GTEST_SKIP() << "needs root, to have something to give up";
    const int went = in_a_child([] {
        constexpr auto kept = std::uint64_t{1} << CAP_NET_RAW | std::uint64_t{1} << CAP_SETUID;
        if (!keep_capabilities(kept)) return 10;
        if (effective_capabilities() != kept || ::geteuid() != 0) return 11;
        if (::prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) != 0) return 12;
        if (::prctl(PR_CAPBSET_READ, CAP_NET_RAW, 0, 0, 0) != 1) return 13;
        if (::unshare(CLONE_NEWNS) == 0) return 14;
        ::execl("/bin/sh", "sh", "-c", "grep -q 'CapEff:.0000000000002080' /proc/self/status", nullptr);
        return 15;
    });
    EXPECT_EQ(went, 0);
}

TEST(Confine, AnOrdinaryUserLosesNothingItDoesNotHave)
{
    const int went = in_a_child([] {
        if (is_root() && ::setresuid(65534, 65534, 65534) != 0) return 9;
        return leave_privileges(std::uint64_t{1} << CAP_NET_RAW, "daemon") && effective_capabilities() == 0 ? 0 : 10;
    });
    EXPECT_EQ(went, 0);
}

TEST(Confine, NothingCanBeOpenedForWriting)
{
    const int went = in_a_child([] {
        std::array<char, 32> name{"/tmp/confine-XXXXXX"};
        const int open_before = ::mkstemp(name.data());
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        const auto forbidden = forbid_writing_files();
        if (!forbidden) return 10;
        if (!*forbidden) return 77;
        const bool refused = ::open(name.data(), O_WRONLY) < 0 && errno == EACCES && ::unlink(name.data()) < 0 &&
                             ::mkdir("/tmp/confine-folder", 0700) < 0 && ::open(name.data(), O_RDONLY) >= 0;
        return refused && ::write(open_before, "x", 1) == 1 ? 0 : 11;
    });
    if (went == 77) GTEST_SKIP() << "this kernel has no Landlock";
    EXPECT_EQ(went, 0);
}

TEST(Confine, SystemCallsThatAreNotNamedFail)
{
    const int went = in_a_child([] {
        constexpr std::array names{"write", "exit_group", "mmap", "socket", "clone", "close"};
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (!allow_system_calls(names, Code::fixed)) return 10;
        const auto refused = [](long answer, int with) { return answer < 0 && errno == with; };
        if (!refused(::syscall(SYS_getppid), EPERM)) return 11;
        if (!refused(::syscall(SYS_clone3, nullptr, 0), ENOSYS)) return 12;
        if (!refused(::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), EPERM)) return 13;
        if (!refused(::syscall(SYS_socket, AF_PACKET, SOCK_RAW, 0), EPERM)) return 14;
        if (!refused(::syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0), EPERM)) return 17;
        if (::syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) < 0) return 15;
        if (!refused(::syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EPERM))
            return 16;
        return 0;
    });
    EXPECT_EQ(went, 0);
}

TEST(Confine, TheParentIsOutOfReach)
{
    const int went = in_a_child([] {
        const pid_t parent = ::getppid();
        const auto fails = [](long answer) { return answer < 0 && errno == EPERM; };
        const int ours = ::socket(AF_INET, SOCK_DGRAM, 0);
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (!spare_parent()) return 10;
        // Signal 0 asks only whether one may.
        for (const long whom : {long{parent}, 0L, -1L, -long{parent}})
            if (!fails(::syscall(SYS_kill, whom, 0)) || !fails(::syscall(SYS_tkill, whom, 0))) return 11;
        if (!fails(::syscall(SYS_tgkill, parent, parent, 0))) return 12;
        if (!fails(::syscall(SYS_pidfd_open, parent, 0)) || !fails(::syscall(SYS_pidfd_open, ::getpid(), O_EXCL)) ||
            !fails(::syscall(SYS_pidfd_open, 0x1'0000'0000L + parent, 0))) // the kernel reads half of it
            return 13;
        const rlimit none{0, 0};
        if (!fails(::prlimit(parent, RLIMIT_CORE, &none, nullptr))) return 15;
        int owner = parent;
        if (!fails(::fcntl(ours, F_SETOWN, parent)) || !fails(::fcntl(ours, F_SETSIG, SIGKILL)) ||
            !fails(::ioctl(ours, FIOSETOWN, &owner)) || !fails(::ioctl(ours, SIOCSPGRP, &owner)))
            return 16;
        std::array<int, 2> pair{};
        if (!fails(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair.data()))) return 17;
        // What it has of its own goes on.
        if (::syscall(SYS_tgkill, ::getpid(), ::getpid(), 0) != 0 ||
            ::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair.data()) != 0)
            return 18;
        if (::fcntl(ours, F_SETFL, O_NONBLOCK) != 0 || ::prlimit(0, RLIMIT_CORE, &none, nullptr) != 0) return 19;
        const pid_t child = ::fork();
        if (child == 0) ::_exit(::pause());
        const long process = ::syscall(SYS_pidfd_open, child, 0);
        if (::syscall(SYS_pidfd_send_signal, process, SIGKILL, nullptr, 0) != 0) return 20;
        return ::waitpid(child, nullptr, 0) == child ? 0 : 21;
    });
    EXPECT_EQ(went, 0);
}

TEST(Confine, NoSignalGoesToAProcessThatWasNotStartedFromHere)
{
    const pid_t bystander = ::fork();
    if (bystander == 0) ::_exit(::pause());
    const int went = in_a_child([bystander] {
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) < 6) return 77;
        const auto forbidden = forbid_writing_files();
        if (!forbidden || !*forbidden) return 10;
        if (::kill(bystander, 0) == 0 || errno != EPERM) return 11;
        const pid_t child = ::fork();
        if (child == 0) ::_exit(::pause());
        return ::kill(child, SIGKILL) == 0 && ::waitpid(child, nullptr, 0) == child ? 0 : 12;
    });
    ::kill(bystander, SIGKILL);
    ::waitpid(bystander, nullptr, 0);
    if (went == 77) GTEST_SKIP() << "this kernel's Landlock knows no scopes";
    EXPECT_EQ(went, 0);
}

} // namespace
} // namespace gw::confine
