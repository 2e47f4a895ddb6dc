#include "gateway/confine/confine.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/sockios.h>
#include <memory>
#include <sched.h>
#include <seccomp.h>
#include <string>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace gw::confine {

namespace {

constexpr scmp_datum_t new_namespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

// What instrumented code needs beside all else; no build that ships has it.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::array sanitizer_calls{"sigaltstack", "sched_yield"};
#else
constexpr std::array<const char*, 0> sanitizer_calls{};
#endif

using FilterPtr = std::unique_ptr<void, decltype([](void* filter) { ::seccomp_release(filter); })>;

int allow_sockets(void* filter, int number)
{
    for (const int family : {AF_INET, AF_INET6, AF_NETLINK}) {
        const auto wanted = SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family));
        if (const int failed = ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1, wanted); failed != 0)
            return failed;
    }
    return 0;
}

int allow(void* filter, std::string_view name, int number, Code code)
{
    if (code == Code::fixed && (name == "mmap" || name == "mprotect"))
        return ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (name == "clone")
        return ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1, SCMP_A0(SCMP_CMP_MASKED_EQ, new_namespaces, 0));
    if (name == "socket") return allow_sockets(filter, number);
    return ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
}

Error failure(int negative_errno, const std::string& what)
{
    errno = -negative_errno;
    return system_error(what);
}

Result<> allow_all(void* filter, std::span<const char* const> names, Code code)
{
    for (const auto* name : names) {
        const int number = ::seccomp_syscall_resolve_name(name);
        if (number == __NR_SCMP_ERROR) continue;
        if (const int failed = allow(filter, name, number, code); failed != 0)
            return failure(failed, std::string("seccomp rule for ") + name);
    }
    return {};
}

/// What a filter refuses that allows all else.
struct Refusal {
    const char* call;
    scmp_arg_cmp when;
};

constexpr scmp_datum_t socket_types = 0xf;    // the rest are flags
constexpr scmp_datum_t low_half = 0xffffffff; // what the kernel reads of an int

scmp_arg_cmp is_int(unsigned argument, scmp_datum_t value)
{
    return SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, low_half, value);
}

/// A number is also that of any thread, so naming one process is not enough where a call takes those.
std::vector<Refusal> of_others()
{
    const auto parent = static_cast<scmp_datum_t>(::getppid());
    return {
        {"kill", SCMP_A0(SCMP_CMP_GE, 0)}, // always
        {"tkill", SCMP_A0(SCMP_CMP_GE, 0)},
        {"tgkill", SCMP_A0(SCMP_CMP_NE, static_cast<scmp_datum_t>(::getpid()))},
        {"pidfd_open", is_int(0, parent)},
        {"pidfd_open", SCMP_A1(SCMP_CMP_NE, 0)}, // of a thread
        {"prlimit64", SCMP_A0(SCMP_CMP_NE, 0)},
        // A descriptor can be made to send a signal.
        {"fcntl", is_int(1, F_SETOWN)},
        {"fcntl", is_int(1, F_SETOWN_EX)},
        {"fcntl", is_int(1, F_SETSIG)},
        {"ioctl", is_int(1, FIOSETOWN)},
        {"ioctl", is_int(1, SIOCSPGRP)},
        // One of a pair of these can be connected anew.
        {"socketpair", SCMP_A1(SCMP_CMP_MASKED_EQ, socket_types, SOCK_DGRAM)},
    };
}

} // namespace

Result<> spare_parent()
{
    const FilterPtr filter{::seccomp_init(SCMP_ACT_ALLOW)};
    if (!filter) return system_error("seccomp filter");
    ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
    for (const auto& refusal : of_others()) {
        const int number = ::seccomp_syscall_resolve_name(refusal.call);
        if (number == __NR_SCMP_ERROR) continue;
        const int failed = ::seccomp_rule_add_array(filter.get(), SCMP_ACT_ERRNO(EPERM), number, 1, &refusal.when);
        if (failed != 0) return failure(failed, std::string("seccomp rule for ") + refusal.call);
    }
    if (const int failed = ::seccomp_load(filter.get()); failed != 0) return failure(failed, "seccomp load");
    return {};
}

Result<> allow_system_calls(std::span<const char* const> names, Code code)
{
    const FilterPtr filter{::seccomp_init(SCMP_ACT_ERRNO(EPERM))};
    if (!filter) return system_error("seccomp filter");
    ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    // All threads of the process, should there be others already.
    ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
    if (auto added = allow_all(filter.get(), names, code); !added) return added;
    if (auto added = allow_all(filter.get(), sanitizer_calls, code); !added) return added;
    // How glibc starts a process since 2.34; it falls back to clone, whose flags a filter can see.
    const int clone3 = ::seccomp_syscall_resolve_name("clone3");
    if (clone3 != __NR_SCMP_ERROR) ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), clone3, 0);
    if (const int failed = ::seccomp_load(filter.get()); failed != 0) return failure(failed, "seccomp load");
    return {};
}

} // namespace gw::confine
