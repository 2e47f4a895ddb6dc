#pragma once

#include "gateway/base/endpoint.h"

#include <cstdint>
#include <optional>
#include <sys/socket.h>

namespace gw::datagram {

/// Room that is enough for everything a datagram of ours can bring beside itself.
inline constexpr std::size_t control_bytes = 128;

/// What came beside a datagram.
struct ControlData {
    std::optional<Endpoint> destination; ///< where it was going, when the kernel said so
    std::uint16_t segment_bytes = 0;     ///< not 0: it is many datagrams of this size, the last may be smaller
};

/// Reads the control data of a received message. Pure. What was cut short gives nothing at all: a destination must not
/// be guessed.
ControlData parse_control(const msghdr& message);

} // namespace gw::datagram
