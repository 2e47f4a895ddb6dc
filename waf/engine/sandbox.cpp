#include "waf/engine/sandbox.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <grp.h>
#include <linux/capability.h>
#include <memory>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gw::waf {

namespace {

constexpr unsigned nobody = 65534;
constexpr rlim_t max_descriptors = 16;
constexpr rlim_t growth_bytes = 512UL * 1024 * 1024;

constexpr scmp_datum_t new_namespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

// mmap and mprotect never with PROT_EXEC, clone never with a new namespace: see `allow`.
constexpr std::array inspector_allowed{"read",       "write",     "sendto",         "close",          "brk",
                                       "mmap",       "munmap",    "mremap",         "madvise",        "mprotect",
                                       "futex",      "setitimer", "rt_sigreturn",   "rt_sigprocmask", "exit",
                                       "exit_group", "getpid",    "gettid",         "clock_gettime",  "gettimeofday",
                                       "time",       "getrandom", "restart_syscall"};

// What instrumented code needs beside that; no build that ships has it.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::array sanitizer_allowed{"sigaltstack", "sched_yield"};
#else
constexpr std::array<const char*, 0> sanitizer_allowed{};
#endif

constexpr std::array template_allowed{
    "read",       "write",     "sendto",          "close",           "brk",
    "mmap",       "munmap",    "mremap",          "madvise",         "mprotect",
    "futex",      "setitimer", "rt_sigreturn",    "rt_sigprocmask",  "exit",
    "exit_group", "getpid",    "gettid",          "clock_gettime",   "gettimeofday",
    "time",       "getrandom", "restart_syscall", "clone",           "sendmsg",
    "recvmsg",    "recvfrom",  "rt_sigaction",    "set_robust_list", "set_tid_address",
    "rseq",       "seccomp",   "prctl",           "close_range"};

using FilterPtr = std::unique_ptr<void, decltype([](void* filter) { ::seccomp_release(filter); })>;

int allow(void* filter, std::string_view name, int number)
{
    if (name == "mmap" || name == "mprotect")
        return ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (name == "clone")
        return ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1, SCMP_A0(SCMP_CMP_MASKED_EQ, new_namespaces, 0));
    return ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
}

Result<> allow_all(void* filter, std::span<const char* const> names)
{
    for (const auto* name : names) {
        const int number = ::seccomp_syscall_resolve_name(name);
        if (number == __NR_SCMP_ERROR) continue; // not a system call of this processor
        if (const int failed = allow(filter, name, number); failed != 0) {
            errno = -failed;
            return system_error(std::string("seccomp rule for ") + name);
        }
    }
    return {};
}

Result<> restrict_to(std::span<const char* const> names)
{
    const FilterPtr filter{::seccomp_init(SCMP_ACT_ERRNO(EPERM))};
    if (!filter) return system_error("seccomp filter");
    ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (auto added = allow_all(filter.get(), names); !added) return added;
    if (auto added = allow_all(filter.get(), sanitizer_allowed); !added) return added;
    if (const int failed = ::seccomp_load(filter.get()); failed != 0) {
        errno = -failed;
        return system_error("seccomp load");
    }
    return {};
}

// After this no privilege can come back through an exec, and the kernel shows this process's memory to nobody.
Result<> lock_process()
{
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_error("no new privileges");
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return system_error("not dumpable");
    return {};
}

Result<> drop_capabilities()
{
    for (int capability = 0; capability <= CAP_LAST_CAP; ++capability)
        ::prctl(PR_CAPBSET_DROP, capability, 0, 0,
                0); // fails without CAP_SETPCAP: then there is nothing to gain either
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (::geteuid() == 0) {
        if (::setgroups(0, nullptr) != 0) return system_error("drop groups");
        if (::setresgid(nobody, nobody, nobody) != 0) return system_error("become nobody (group)");
        if (::setresuid(nobody, nobody, nobody) != 0) return system_error("become nobody");
    }
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const std::array<__user_cap_data_struct, 2> none{};
    if (::syscall(SYS_capset, &header, none.data()) != 0) return system_error("drop capabilities");
    return {};
}

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
    if (auto set = limit(RLIMIT_CORE, 0, "core"); !set) return set;
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
    if (auto dropped = drop_capabilities(); !dropped) return dropped;
    return lock_process();
}

Result<> restrict_template() { return restrict_to(template_allowed); }
Result<> restrict_inspector() { return restrict_to(inspector_allowed); }

} // namespace gw::waf
