#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/result.h"
#include "netfilter/settings.h"

namespace gw::netfilter {

/// A socket with a name that one process of this network namespace can have: who has it looks after the chains. It goes
/// with the last process that holds a copy. Whoever is neither root nor of our user and has taken the name is passed
/// by. Errors: `denied` when another gatewayd has it; `system`.
Result<Descriptor> own_iptables(const Settings& settings);

} // namespace gw::netfilter
