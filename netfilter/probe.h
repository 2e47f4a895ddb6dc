#pragma once

#include "netfilter/nft_context.h"

namespace gw::netfilter {

/// Whether this thread has CAP_NET_ADMIN.
bool may_change_the_network();

/// Asks the kernel for each thing our rules need, without making any of it. Errors: of the first that it lacks.
Result<> probe(NftContext& context);

} // namespace gw::netfilter
