#pragma once

#include "gateway/config/draft.h"
#include "gateway/config/report.h"

namespace gw::config {

/// Fills in what follows from what was said: names, defaults that depend on the kind of listener, WAF policies, marks.
void complete(Draft& draft);

/// What only the whole of a configuration can have wrong: names that are the same or name nothing, addresses that meet,
/// parts that cannot work together.
void check_together(Draft& draft, Report& report);
/// Of those, what has to do with pools and PROXY headers, and the warnings about them. After `check_together`, which
/// finds names that are none.
void check_pools(Draft& draft, Report& report);

} // namespace gw::config
