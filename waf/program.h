#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/result.h"

#include <string>
#include <sys/types.h>

namespace gw::waf {

/// Starts `program` with `link` as its descriptor 3 (`--link-fd 3`), no other descriptor but 0 to 2, no signal blocked
/// or ignored, no environment. Errors: `system`.
Result<pid_t> start_program(const std::string& program, int link);

struct Pair {
    Descriptor ours;
    Descriptor theirs;
};
/// Two connected Unix sockets of this type. Errors: `system`.
Result<Pair> socket_pair(int type);

} // namespace gw::waf
