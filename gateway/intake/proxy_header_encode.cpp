#include "gateway/intake/crc32c.h"
#include "gateway/intake/proxy_header.h"
#include "gateway/intake/proxy_wire.h"

#include <charconv>

namespace gw::intake {

namespace {

using namespace wire;
using Family = ProxyHeader::Family;
using Transport = ProxyHeader::Transport;

/// Section 2.1: an IPv6 address is written in groups of hexadecimal digits, never with dots.
std::string text_of(const Address& address)
{
    auto text = address.text();
    if (!address.is_v6() || text.find('.') == std::string::npos) return text;
    text.resize(text.rfind(':') + 1);
    const auto append_group = [&](std::size_t at) {
        char digits[4];
        const auto value = static_cast<unsigned>(address.data()[at] << 8 | address.data()[at + 1]);
        text.append(digits, std::to_chars(digits, digits + sizeof digits, value, 16).ptr);
    };
    append_group(12);
    text += ':';
    append_group(14);
    return text;
}

/// Source and destination are what the family says they are.
bool is_consistent(const ProxyHeader& header)
{
    const bool v6 = header.family == Family::inet6;
    return header.source.address.is_v6() == v6 && header.destination.address.is_v6() == v6;
}

std::string encode_v1(const ProxyHeader& header)
{
    if (!header.names_client() || !is_consistent(header)) return "PROXY UNKNOWN\r\n";
    std::string out = header.family == Family::inet6 ? "PROXY TCP6 " : "PROXY TCP4 ";
    out.append(text_of(header.source.address)).append(" ").append(text_of(header.destination.address)).append(" ");
    out.append(std::to_string(header.source.port)).append(" ").append(std::to_string(header.destination.port));
    return out.append("\r\n");
}

void append_address(std::string& out, const Address& address)
{
    out.append(reinterpret_cast<const char*>(address.data()), address.size());
}

void append_path(std::string& out, const std::string& path) { out.append(path).append(path_bytes - path.size(), '\0'); }

/// The byte for family and transport, and the addresses that belong to it.
void append_addresses(std::string& out, const ProxyHeader& header)
{
    auto family = header.family;
    const bool internet = family == Family::inet || family == Family::inet6;
    if (header.transport == Transport::unspecified || (internet && !is_consistent(header)))
        family = Family::unspecified;
    const auto transport = family == Family::unspecified ? Transport::unspecified : header.transport;
    out += static_cast<char>(static_cast<int>(family) << 4 | static_cast<int>(transport));
    append_u16(out, 0); // the length, when it is known
    if (family == Family::unix_socket) {
        append_path(out, header.source_path);
        append_path(out, header.destination_path);
    } else if (family != Family::unspecified) {
        append_address(out, header.source.address);
        append_address(out, header.destination.address);
        append_u16(out, header.source.port);
        append_u16(out, header.destination.port);
    }
}

/// The TLVs, those that belong to this header's bytes only left out. Errors: `malformed`.
Result<> append_tlvs(std::string& out, std::string_view tlvs)
{
    while (!tlvs.empty()) {
        const auto before = tlvs;
        const auto one = next_tlv(tlvs);
        if (!one) return Error{Fault::malformed, Side::gateway, "PROXY header to send: broken TLVs", {}};
        if (one->type != tlv::crc32c && one->type != tlv::noop)
            out.append(before.substr(0, before.size() - tlvs.size()));
    }
    return {};
}

void set_u16(std::string& out, std::size_t at, std::size_t value)
{
    out[at] = static_cast<char>(value >> 8 & 0xff);
    out[at + 1] = static_cast<char>(value & 0xff);
}

/// Section 2.2.3: calculated with zeros in its own place, then put there.
void fill_checksum(std::string& out)
{
    const auto checksum = crc32c(out);
    const auto at = out.size() - checksum_bytes;
    set_u16(out, at, checksum >> 16);
    set_u16(out, at + 2, checksum & 0xffff);
}

} // namespace

Result<std::string> encode_proxy_header(const ProxyHeader& header)
{
    if (header.version == 1) return encode_v1(header);
    if (header.source_path.size() > path_bytes || header.destination_path.size() > path_bytes)
        return Error{Fault::malformed, Side::gateway, "PROXY header to send: a path is too long", {}};
    // Looked at before anything is copied: what was received may be larger than what may be sent.
    if (header.tlvs.size() > max_v2_header_bytes)
        return Error{Fault::too_large, Side::gateway, "PROXY header to send: too many TLVs", {}};

    std::string out{v2_signature};
    if (header.local) {
        out += static_cast<char>(version_2_local);
        return out.append(3, '\0');
    }
    out += static_cast<char>(version_2_proxy);
    append_addresses(out, header);
    if (const auto appended = append_tlvs(out, header.tlvs); !appended) return appended.error();
    if (header.checksum) {
        out += static_cast<char>(tlv::crc32c);
        append_u16(out, checksum_bytes);
        out.append(checksum_bytes, '\0');
    }
    if (out.size() > max_v2_header_bytes)
        return Error{Fault::too_large, Side::gateway, "PROXY header to send: too many TLVs", {}};
    set_u16(out, v2_fixed_bytes - 2, out.size() - v2_fixed_bytes);
    if (header.checksum) fill_checksum(out);
    return out;
}

} // namespace gw::intake
