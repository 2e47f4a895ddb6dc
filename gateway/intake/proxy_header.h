#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/base/result.h"
#include "gateway/intake/need_more.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace gw::intake {

// The PROXY protocol, both versions, as its specification of 2020 has it ("The PROXY protocol, versions 1 & 2",
// doc/proxy-protocol.txt of HAProxy; section numbers below are its own).
//
//   version 1   "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n", or TCP6, or "PROXY UNKNOWN[ anything]\r\n"
//   version 2   12 bytes of signature; version 2 and command (LOCAL, PROXY); family and transport; length of the rest;
//               source and destination: 12 bytes (IPv4), 36 (IPv6), 216 (Unix), none (unspecified); then TLVs: one byte
//               of type, two of length, the value

/// A PROXY header and how much of the input it was.
struct ProxyHeader {
    enum class Family : std::uint8_t { unspecified, inet, inet6, unix_socket };
    enum class Transport : std::uint8_t { unspecified, stream, datagram };

    int version = 2;
    bool local = false; ///< LOCAL: the sender speaks for itself; nothing else of the header counts, so nothing is kept
    Family family = Family::unspecified;          ///< unspecified (UNKNOWN) goes with an unspecified transport
    Transport transport = Transport::unspecified; ///< version 1: stream
    Endpoint source;                              ///< inet, inet6: the client behind the sender
    Endpoint destination;                         ///< inet, inet6: where that client was going
    std::string source_path;                      ///< unix_socket, without the zeros at its end
    std::string destination_path;
    std::string tlvs;           ///< well formed, in the order they came, without CRC32C and NOOP
    bool checksum = false;      ///< a CRC32C came along, and was right
    std::size_t size_bytes = 0; ///< the payload starts here

    /// It says who a TCP client is; else the connection's own addresses are meant.
    bool names_client() const
    {
        return !local && transport == Transport::stream && (family == Family::inet || family == Family::inet6);
    }
};
struct Absent {}; ///< cannot be a PROXY header
using ProxyAnswer = std::variant<NeedMore, Absent, ProxyHeader>;

/// Longest version 1 header, CRLF included: section 2.1.
inline constexpr std::size_t max_v1_header_bytes = 107;
/// Longest version 2 header that is read or written. The format's own limit is 65,551; what is in use stays far below.
inline constexpr std::size_t max_v2_header_bytes = 16 * 1024;

/// Looks for a PROXY header at the start of `received`: everything read so far, from the first byte.
/// Pure. Asks for more only while each field that is there may still be right; never once `max_v2_header_bytes` are.
/// Bytes behind the header change nothing, and the answer does not depend on how the bytes were cut.
/// Version 1 takes IPv6 addresses in any form of RFC 4291 2.2, since senders write the mapped ones with dots. A
/// carriage return or a line feed alone is refused wherever it stands. Version 2: a family with a transport that are
/// both known must have its addresses, and behind them nothing but TLVs. With LOCAL, what follows is skipped; with an
/// unspecified family or transport it is read only if it is TLVs. Errors, side client: `malformed`, when the input
/// began as a header ("PROXY", or the signature) and then broke the format, or its CRC32C is wrong; `too_large`, above
/// `max_v2_header_bytes`. Source: PROXY protocol, sections 2.1 (version 1) and 2.2 (version 2).
Result<ProxyAnswer> parse_proxy_header(std::string_view received);

/// The header as it goes in front of a connection: of `version`, CRC32C at its end where `checksum` is set.
/// Version 1 can name TCP clients only: all else is UNKNOWN, and TLVs are left out. Source and destination of different
/// families are unspecified in both. What `parse_proxy_header` makes of the result is `header`.
/// Errors, side gateway: `too_large` above `max_v2_header_bytes`; `malformed` when `tlvs` are not well formed, or a
/// path is longer than 108 bytes. Nothing is ever cut to fit.
Result<std::string> encode_proxy_header(const ProxyHeader& header);

// --- TLVs: section 2.2

namespace tlv {
inline constexpr std::uint8_t alpn = 0x01;
inline constexpr std::uint8_t authority = 0x02;
inline constexpr std::uint8_t crc32c = 0x03;
inline constexpr std::uint8_t noop = 0x04;
inline constexpr std::uint8_t unique_id = 0x05; ///< at most 128 bytes
inline constexpr std::uint8_t ssl = 0x20;       ///< a byte of flags, four of verification, TLVs of its own
inline constexpr std::uint8_t netns = 0x30;
} // namespace tlv

struct Tlv {
    std::uint8_t type = 0;
    std::string_view value;
};

/// Takes the first off the front of `tlvs`. Nothing at the end, and nothing where the format breaks: then `tlvs` is as
/// it was, so not empty.
std::optional<Tlv> next_tlv(std::string_view& tlvs);
/// The value of the first of that type.
std::optional<std::string_view> find_tlv(std::string_view tlvs, std::uint8_t type);
/// Whether the SSL TLV says that the client's own connection was over TLS, which the sender has opened.
bool says_tls(std::string_view tlvs);

} // namespace gw::intake
