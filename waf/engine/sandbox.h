#pragma once

#include "gateway/base/result.h"

#include <span>

namespace gw::waf {

/// What a process of the inspector may still do once the rules are loaded. Nothing of this can be undone.
///
/// | | template | inspector |
/// |---|---|---|
/// | identity | no capability, nobody when it was root, no new privileges, not dumpable, no core | inherited |
/// | network | an empty namespace where the kernel lets us | inherited |
/// | descriptors | the link, 16 at most | its one socket |
/// | memory | what it has and 512 MiB more | inherited |
/// | system calls | fork, messages over the link | below 25: its socket, memory, time |
///
/// A forbidden system call fails with EPERM.

/// Before the filters: everything but the system calls. `link_fd` stays open, all others but 0 to 2 are closed.
/// Errors: `system`: something that must hold could not be made to.
Result<> drop_privileges(int link_fd);

/// The system calls of the template, then of an inspector. Errors: `system`.
Result<> restrict_template();
Result<> restrict_inspector();

/// For tests and `status`: system call names each filter allows.
std::span<const char* const> template_calls();
std::span<const char* const> inspector_calls();

} // namespace gw::waf
