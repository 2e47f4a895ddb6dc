#pragma once

#include "gateway/base/buffer.h"
#include "gateway/base/stream.h"
#include "gateway/intake/proxy_header.h"

#include <chrono>

namespace gw::intake {

/// Reads the PROXY header that must come first. It is taken off `received`; what came behind it stays there, another
/// header included. Sets the deadline of `sender` to `limit` from now, and takes it away when it succeeds. Needs a
/// `received` that is empty and holds `max_v2_header_bytes`.
/// Errors, side client: `refused` when what came is no such header; `malformed`, `too_large` when it is a broken one;
/// `timed_out`; `closed`, when the sender ended before it was whole; those of `read_some`.
Task<Result<ProxyHeader>> read_proxy_header(Stream& sender, Buffer& received, std::chrono::milliseconds limit);

} // namespace gw::intake
