#include "gateway/base/descriptor.h"
#include "gateway/confine/confine.h"

#include <cerrno>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

// Numbers the headers of this distribution may not have yet.
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

namespace gw::confine {

namespace {

/// As the kernel has it since version 6 of Landlock; a header may be older.
struct RuleSet {
    std::uint64_t handled_access_fs = 0;
    std::uint64_t handled_access_net = 0;
    std::uint64_t scoped = 0;
};
constexpr long version_with_scopes = 6;
constexpr std::uint64_t scope_abstract_unix_socket = 1ULL << 0;
constexpr std::uint64_t scope_signal = 1ULL << 1;

/// What this kernel's Landlock can forbid of what changes a file system. To refer (link, rename between folders) is
/// forbidden by every rule set, named or not.
std::uint64_t ways_to_write(long version)
{
    std::uint64_t ways = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                         LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                         LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                         LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
    if (version >= 2) ways |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3) ways |= LANDLOCK_ACCESS_FS_TRUNCATE;
    return ways;
}

} // namespace

Result<bool> forbid_writing_files()
{
    const long version =
        ::syscall(SYS_landlock_create_ruleset, nullptr, std::size_t{0}, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) return false;
    RuleSet rules;
    rules.handled_access_fs = ways_to_write(version);
    const bool scoped = version >= version_with_scopes;
    if (scoped) rules.scoped = scope_abstract_unix_socket | scope_signal;
    const auto size = scoped ? sizeof rules : sizeof rules.handled_access_fs;
    const auto made = ::syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (made < 0) return system_error("landlock rules");
    const Descriptor descriptor{static_cast<int>(made)};
    if (::syscall(SYS_landlock_restrict_self, descriptor.number(), 0) != 0) return system_error("landlock");
    return true;
}

} // namespace gw::confine
