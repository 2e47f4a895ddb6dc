#pragma once

#include "gateway/datagram/flow.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace gw::datagram {

/// The header of UDP in front of `bytes`, with its checksum. Pure. `bytes` is at most 65,507 bytes.
std::array<std::uint8_t, 8> encode_udp_header(const Endpoint& from, const Endpoint& to, std::string_view bytes);

/// What is not there.
enum class Unreachable { network, host, port };

/// The ICMP message (RFC 792; for IPv6 RFC 4443, 3.1) that says so to a client whose datagram of `size_bytes` we took
/// over: with the headers of that datagram made anew, which is what the client finds its socket by. For IPv4 with its
/// checksum; for IPv6 the kernel fills it in. Pure.
std::string encode_unreachable(Unreachable what, const FlowKey& flow, std::size_t size_bytes);

} // namespace gw::datagram
