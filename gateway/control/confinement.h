#pragma once

#include "gateway/base/result.h"

#include <span>

namespace gw::control {

/// What the data process gives up before it sees a client's byte: every privilege but CAP_NET_RAW (to use a client's
/// address upstream), the identity of root, writing to file systems, system calls it has no use for, and every way to
/// the keeper but the link it was given: no socket of Unix, no signal. Inspectors start from there. Errors: `system`.
Result<> confine_data_process();

/// For tests: the system calls that stay.
std::span<const char* const> data_process_calls();

} // namespace gw::control
