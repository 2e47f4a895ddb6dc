#pragma once

#include "gateway/keeper/handover.h"

#include <functional>

namespace gw::keeper {

/// What a successor does when its predecessor asks for it.
struct Heir {
    /// Serves with all of this, beside the predecessor.
    std::function<Task<Result<>>(Handover&, std::vector<Descriptor>&)> take_in;
    /// Answers for everything from now on, and holds the links of those that were before the predecessor. When it
    /// fails, nothing has changed.
    std::function<Task<Result<>>(std::vector<Descriptor>&)> take_over;
};

/// The successor's side of a handover (handover.h), to its end. Errors: `closed` when the predecessor has gone or has
/// thought better of it; what `take_in` or `take_over` said.
Task<Result<>> succeed(link::Link& predecessor, const std::string& version, const Heir& heir);

} // namespace gw::keeper
