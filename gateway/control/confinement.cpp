#include "gateway/control/confinement.h"

#include "gateway/base/log.h"
#include "gateway/confine/confine.h"

#include <array>
#include <linux/capability.h>

namespace gw::control {

namespace {

// Beside its own work: what starting an inspector, looking a name up and loading a library for it take.
constexpr std::array allowed{
    // bytes and sockets
    "read", "readv", "write", "writev", "pread64", "pwrite64", "recvfrom", "recvmsg", "recvmmsg", "sendto", "sendmsg",
    "sendmmsg", "splice", "tee", "sendfile", "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4",
    "getsockname", "getpeername", "getsockopt", "setsockopt", "shutdown", "close", "close_range", "pipe2", "dup",
    "dup2", "dup3", "fcntl", "ioctl", "eventfd2", "timerfd_create", "timerfd_settime", "timerfd_gettime",
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "poll", "ppoll", "select", "pselect6",
    // memory, threads, time
    "brk", "mmap", "munmap", "mremap", "madvise", "mprotect", "futex", "clone", "vfork", "exit", "exit_group",
    "set_robust_list", "set_tid_address", "rseq", "arch_prctl", "gettid", "getpid", "getppid", "sched_yield",
    "sched_getaffinity", "membarrier", "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday",
    "time", "getrandom", "getcpu", "setitimer", "sysinfo", "uname", "getrusage", "times", "restart_syscall",
    // signals and children
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sigaltstack", "tgkill", "wait4", "waitid",
    "pidfd_open", "pidfd_send_signal", "execve",
    // reading files
    "open", "openat", "stat", "fstat", "lstat", "newfstatat", "statx", "statfs", "fstatfs", "lseek", "access",
    "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd", "chdir", "getdents64", "fadvise64", "umask",
    // giving up more
    "prctl", "capget", "capset", "seccomp", "prlimit64", "getrlimit", "setrlimit", "getuid", "geteuid", "getgid",
    "getegid", "getresuid", "getresgid", "getgroups"};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool instrumented = true; // its runtime writes reports and maps what it likes
#else
constexpr bool instrumented = false;
#endif

} // namespace

std::span<const char* const> data_process_calls() { return allowed; }

Result<> confine_data_process()
{
    if (auto left = confine::leave_privileges(std::uint64_t{1} << CAP_NET_RAW, "gateway"); !left) return left;
    if (auto hidden = confine::hide_memory(); !hidden) return hidden;
    if (instrumented) return {};
    const auto forbidden = confine::forbid_writing_files();
    if (!forbidden) return forbidden.error();
    if (!*forbidden) log::debug("this kernel has no Landlock: the data process's user alone limits what it can write");
    if (auto spared = confine::spare_parent(); !spared) return spared;
    return confine::allow_system_calls(allowed, confine::Code::loadable);
}

} // namespace gw::control
