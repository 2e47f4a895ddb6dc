#pragma once

namespace gw::intake {

/// The answer of a parser whose input is not wrong so far, and not complete.
struct NeedMore {};

} // namespace gw::intake
