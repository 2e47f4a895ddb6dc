#include "gateway/confine/confine.h"

#include <array>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gw::confine {

namespace {

constexpr unsigned nobody = 65534;
using Capabilities = std::array<__user_cap_data_struct, 2>;

struct Identity {
    uid_t user = nobody;
    gid_t group = nobody;
};

Identity identity_of(const char* name)
{
    const auto* known = name == nullptr ? nullptr : ::getpwnam(name);
    return known == nullptr || known->pw_uid == 0 ? Identity{} : Identity{known->pw_uid, nobody};
}

Result<> become(const Identity& identity)
{
    if (::setgroups(0, nullptr) != 0) return system_error("drop groups");
    if (::setresgid(identity.group, identity.group, identity.group) != 0) return system_error("change the group");
    if (::setresuid(identity.user, identity.user, identity.user) != 0) return system_error("change the user");
    return {};
}

/// `pass_on`: what is started gets them too, also of one that is not root.
Result<> keep_only(std::uint64_t capabilities, bool pass_on)
{
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    Capabilities held{};
    if (::syscall(SYS_capget, &header, held.data()) != 0) return system_error("read capabilities");
    for (std::size_t half = 0; half < held.size(); ++half) {
        const auto wanted = static_cast<std::uint32_t>(capabilities >> (32 * half));
        held[half].permitted &= wanted;
        held[half].effective = held[half].permitted;
        held[half].inheritable &= pass_on ? wanted : 0;
    }
    if (::syscall(SYS_capset, &header, held.data()) != 0) return system_error("drop capabilities");
    return {};
}

void bound_to(std::uint64_t capabilities)
{
    for (int capability = 0; capability <= CAP_LAST_CAP; ++capability)
        if ((capabilities >> capability & 1) == 0)
            ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0); // fails without CAP_SETPCAP: then there is nothing to gain
}

Result<> gain_nothing()
{
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_error("no new privileges");
    return {};
}

} // namespace

Result<> leave_privileges(std::uint64_t capabilities, const char* user)
{
    // Of the bounding set nothing is needed: what stays is held already, and no exec shall bring anything.
    bound_to(0);
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (::geteuid() == 0) {
        if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return system_error("keep capabilities");
        if (auto changed = become(identity_of(user)); !changed) return changed;
        ::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    }
    if (auto kept = keep_only(capabilities, false); !kept) return kept;
    return gain_nothing();
}

Result<> keep_capabilities(std::uint64_t capabilities)
{
    bound_to(capabilities);
    if (auto kept = keep_only(capabilities, true); !kept) return kept;
    return gain_nothing();
}

Result<> hide_memory()
{
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_CORE, &none) != 0) return system_error("no core file");
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return system_error("not dumpable");
    return {};
}

} // namespace gw::confine
