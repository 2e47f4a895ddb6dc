#pragma once

#include "gateway/base/result.h"

#include <cstdint>
#include <span>

/// What a process gives up before it touches anything hostile. Nothing of this can be undone, and what it starts
/// later has given it up too.
namespace gw::confine {

/// Of root's powers only these capabilities stay (bits as in linux/capability.h, `1 << CAP_NET_RAW`; those it does not
/// hold are not gained); none can come back through an exec. One that runs as root becomes `user`, or nobody where
/// there is no such user, and has no group but that of nobody: the user's own may be given rights, such as that of the
/// control socket. Before any thread is started.
/// Errors: `system`: something that must hold could not be made to.
Result<> leave_privileges(std::uint64_t capabilities, const char* user);

/// Of root's powers only these capabilities stay, here and in all that is started from here; the user stays who it is.
/// Before any thread is started. Errors: `system`.
Result<> keep_capabilities(std::uint64_t capabilities);

/// No core file, and no other process may look into this one's memory. Errors: `system`.
Result<> hide_memory();

/// From now on nothing can be opened for writing, made, renamed or removed in any file system; what is open stays so.
/// Where the kernel can say so (Linux 6.12), no process can be sent a signal but those that are started from here.
/// False: the kernel has no Landlock, and nothing has changed. Errors: `system`. Source: Linux,
/// Documentation/userspace-api/landlock.rst.
Result<bool> forbid_writing_files();

enum class Code { fixed, loadable }; ///< whether memory may become executable, as for an exec or a shared library

/// From now on no signal can be sent by a number, but to threads of this process; by a descriptor (pidfd_send_signal)
/// to others than the process that started this one. No other process can be given limits. Sockets of Unix can only be
/// made in pairs that stay connected. Errors: `system`.
Result<> spare_parent();

/// System calls that are not named fail with EPERM; names this processor does not have are left out. `clone` never
/// makes a namespace, `socket` makes none but those of IPv4, IPv6 and netlink. Errors: `system`.
Result<> allow_system_calls(std::span<const char* const> names, Code code);

} // namespace gw::confine
