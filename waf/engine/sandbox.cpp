#include "waf/engine/sandbox.h"

#include "gateway/confine/confine.h"

#include <array>
#include <fstream>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

namespace gw::waf {

namespace {

constexpr rlim_t max_descriptors = 16;
constexpr rlim_t growth_bytes = 512UL * 1024 * 1024;

// mmap and mprotect never with PROT_EXEC, clone never with a new namespace: see confine.h.
constexpr std::array inspector_allowed{"read",       "write",     "sendto",         "close",          "brk",
                                       "mmap",       "munmap",    "mremap",         "madvise",        "mprotect",
                                       "futex",      "setitimer", "rt_sigreturn",   "rt_sigprocmask", "exit",
                                       "exit_group", "getpid",    "gettid",         "clock_gettime",  "gettimeofday",
                                       "time",       "getrandom", "restart_syscall"};

constexpr std::array template_allowed{
    "read",       "write",     "sendto",          "close",           "brk",
    "mmap",       "munmap",    "mremap",          "madvise",         "mprotect",
    "futex",      "setitimer", "rt_sigreturn",    "rt_sigprocmask",  "exit",
    "exit_group", "getpid",    "gettid",          "clock_gettime",   "gettimeofday",
    "time",       "getrandom", "restart_syscall", "clone",           "sendmsg",
    "recvmsg",    "recvfrom",  "rt_sigaction",    "set_robust_list", "set_tid_address",
    "rseq",       "seccomp",   "prctl",           "close_range",     "getpriority",
    "setpriority"};

// Sanitizers reserve terabytes of addresses beforehand, and more as they go: such a build has no bound to its memory.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define GW_BOUNDS_MEMORY
#endif

#ifdef GW_BOUNDS_MEMORY
std::size_t address_space_bytes()
{
    std::size_t pages = 0;
    std::ifstream{"/proc/self/statm"} >> pages;
    return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}
#endif

Result<> limit(__rlimit_resource what, rlim_t most, const char* name)
{
    const rlimit value{most, most};
    if (::setrlimit(what, &value) != 0) return system_error(std::string("limit ") + name);
    return {};
}

Result<> limit_resources()
{
#ifdef GW_BOUNDS_MEMORY
    if (auto set = limit(RLIMIT_AS, address_space_bytes() + growth_bytes, "address space"); !set) return set;
#endif
    if (auto set = limit(RLIMIT_FSIZE, 0, "file size"); !set) return set;
    return limit(RLIMIT_NOFILE, max_descriptors, "descriptors");
}

void close_others(int link_fd)
{
    const auto link = static_cast<unsigned>(link_fd);
    if (link > 3) ::close_range(3, link - 1, 0);
    ::close_range(link + 1, ~0U, 0);
}

} // namespace

std::span<const char* const> template_calls() { return template_allowed; }
std::span<const char* const> inspector_calls() { return inspector_allowed; }

Result<> drop_privileges(int link_fd)
{
    close_others(link_fd);
    if (::chdir("/") != 0) return system_error("leave the working directory");
    // Refused without privilege; the system call filter keeps every socket away in any case.
    ::unshare(CLONE_NEWNET);
    ::unshare(CLONE_NEWIPC);
    ::unshare(CLONE_NEWUTS);
    if (auto limited = limit_resources(); !limited) return limited;
    if (auto dropped = confine::leave_privileges(0, nullptr); !dropped) return dropped;
    return confine::hide_memory();
}

Result<> restrict_template() { return confine::allow_system_calls(template_allowed, confine::Code::fixed); }
Result<> restrict_inspector() { return confine::allow_system_calls(inspector_allowed, confine::Code::fixed); }

} // namespace gw::waf
