#pragma once

#include "gateway/base/descriptor.h"

namespace gw::control {

/// The data process: everything that touches a client's bytes. Lives as long as the keeper at the other end of `link`;
/// gives up all privileges but the one to use a client's address. Ends the process.
[[noreturn]] void run_data_process(Descriptor link);

} // namespace gw::control
