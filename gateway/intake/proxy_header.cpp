#include "gateway/intake/proxy_header.h"

#include "gateway/intake/crc32c.h"
#include "gateway/intake/proxy_wire.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace gw::intake {

namespace {

using namespace wire;
using Family = ProxyHeader::Family;
using Transport = ProxyHeader::Transport;

constexpr std::size_t max_unique_id_bytes = 128;
constexpr std::size_t ssl_head_bytes = 5;
constexpr std::uint8_t client_over_tls = 0x01; // PP2_CLIENT_SSL

Error malformed(std::string_view what)
{
    return Error{Fault::malformed, Side::client, "PROXY header: " + std::string{what}, {}};
}

// --- version 1

enum class Field { address_v4, address_v6, port };

bool may_begin(Field field, std::string_view text)
{
    const auto only = [&](std::string_view allowed, std::size_t most) {
        return text.size() <= most && text.find_first_not_of(allowed) == std::string_view::npos;
    };
    switch (field) {
    case Field::address_v4: return only("0123456789.", 15);
    case Field::address_v6: return only("0123456789abcdefABCDEF:.", 45);
    case Field::port: return only("0123456789", 5) && !(text.size() > 1 && text.front() == '0');
    }
    return false;
}

bool take_address(std::string_view text, bool v6, Address& into)
{
    const auto address = Address::parse(text);
    if (!address || address->is_v6() != v6) return false;
    into = *address;
    return true;
}

bool take_port(std::string_view text, std::uint16_t& into)
{
    if (!may_begin(Field::port, text)) return false;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), into);
    return failed == std::errc{} && end == text.data() + text.size();
}

bool take_field(std::size_t number, std::string_view text, bool v6, ProxyHeader& into)
{
    switch (number) {
    case 0: return take_address(text, v6, into.source.address);
    case 1: return take_address(text, v6, into.destination.address);
    case 2: return take_port(text, into.source.port);
    default: return take_port(text, into.destination.port);
    }
}

/// The four fields behind the protocol. `ended`: nothing more comes.
Result<> read_fields(std::string_view text, bool ended, ProxyHeader& into)
{
    const bool v6 = into.family == Family::inet6;
    for (std::size_t number = 0;; ++number) {
        const bool last = number == 3;
        const auto space = last ? std::string_view::npos : text.find(' ');
        const bool whole = last ? ended : space != std::string_view::npos;
        const auto field = number >= 2 ? Field::port : v6 ? Field::address_v6 : Field::address_v4;
        if (!whole && ended) return malformed("version 1, fields are missing");
        if (whole ? !take_field(number, text.substr(0, space), v6, into) : !may_begin(field, text))
            return malformed(field == Field::port ? "version 1, not a port" : "version 1, not an address");
        if (!whole || last) return {};
        text.remove_prefix(space + 1);
    }
}

/// What stands between "PROXY" and the end of the line.
Result<> read_line(std::string_view text, bool ended, ProxyHeader& into)
{
    static constexpr std::array<std::string_view, 3> protocols{"TCP4", "TCP6", "UNKNOWN"};
    if (text.empty()) return ended ? Result<>{malformed("version 1, fields are missing")} : Result<>{};
    if (text.front() != ' ') return malformed("version 1, no space behind PROXY");
    text.remove_prefix(1);
    const auto space = text.find(' ');
    const auto word = text.substr(0, space);
    const bool whole = ended || space != std::string_view::npos;
    const auto* known = std::find_if(protocols.begin(), protocols.end(),
                                     [&](auto name) { return whole ? name == word : name.starts_with(word); });
    if (known == protocols.end()) return malformed("version 1, a protocol that is not TCP4, TCP6 or UNKNOWN");
    if (!whole || *known == "UNKNOWN") return {};
    if (space == std::string_view::npos) return malformed("version 1, fields are missing");
    into.family = *known == "TCP6" ? Family::inet6 : Family::inet;
    into.transport = Transport::stream;
    return read_fields(text.substr(space + 1), ended, into);
}

Result<ProxyAnswer> parse_v1(std::string_view received)
{
    const auto head = received.substr(0, max_v1_header_bytes);
    const auto end = head.find_first_of("\r\n");
    const bool ended = end != std::string_view::npos;
    const auto line = head.substr(0, end);
    if (line.size() + 2 > max_v1_header_bytes) return malformed("version 1, longer than 107 bytes");
    if (ended && head[end] == '\n') return malformed("version 1, a line feed alone");
    if (ended && end + 1 < head.size() && head[end + 1] != '\n') return malformed("version 1, a carriage return alone");

    ProxyHeader header;
    header.version = 1;
    if (const auto read = read_line(line.substr(v1_signature.size()), ended, header); !read) return read.error();
    if (!ended || end + 1 == head.size()) return ProxyAnswer{NeedMore{}};
    header.size_bytes = end + 2;
    return ProxyAnswer{std::move(header)};
}

// --- version 2

/// The CRC32c of the header as it was when its checksum's place, at `at`, held zeros.
std::uint32_t checksum_of(std::string_view header, std::size_t at)
{
    constexpr std::string_view zeros{"\0\0\0\0", checksum_bytes};
    return crc32c(header.substr(at + checksum_bytes), crc32c(zeros, crc32c(header.substr(0, at))));
}

bool is_list_of_tlvs(std::string_view bytes)
{
    while (next_tlv(bytes)) {
    }
    return bytes.empty();
}

Result<> check_tlv(const Tlv& one)
{
    if (one.type == tlv::unique_id && one.value.size() > max_unique_id_bytes)
        return malformed("version 2, a unique id longer than 128 bytes");
    if (one.type == tlv::ssl &&
        (one.value.size() < ssl_head_bytes || !is_list_of_tlvs(one.value.substr(ssl_head_bytes))))
        return malformed("version 2, broken details of TLS");
    return {};
}

/// Keeps the TLVs from `offset` on, and checks the checksum if there is one.
Result<> read_tlvs(std::string_view header, std::size_t offset, ProxyHeader& into)
{
    auto rest = header.substr(offset);
    while (!rest.empty()) {
        const auto before = rest;
        const auto one = next_tlv(rest);
        if (!one) return malformed("version 2, a TLV reaches beyond the header");
        if (one->type == tlv::crc32c) {
            if (into.checksum || one->value.size() != checksum_bytes)
                return malformed("version 2, a checksum that is none");
            const auto at = static_cast<std::size_t>(one->value.data() - header.data());
            if (checksum_of(header, at) != u32_at(header, at)) return malformed("version 2, the checksum is wrong");
            into.checksum = true;
        } else if (one->type != tlv::noop) {
            if (const auto good = check_tlv(*one); !good) return good.error();
            into.tlvs.append(before.substr(0, before.size() - rest.size()));
        }
    }
    return {};
}

Address address_at(std::string_view bytes, bool v6)
{
    std::array<std::uint8_t, 4> four{};
    std::array<std::uint8_t, 16> sixteen{};
    if (!v6) {
        std::copy_n(bytes.begin(), four.size(), four.begin());
        return Address::v4(four);
    }
    std::copy_n(bytes.begin(), sixteen.size(), sixteen.begin());
    return Address::v6(sixteen);
}

std::string path_at(std::string_view bytes)
{
    const auto path = bytes.substr(0, path_bytes);
    return std::string{path.substr(0, path.find_last_not_of('\0') + 1)};
}

/// Both addresses, from the bytes behind the fixed part.
void read_addresses(std::string_view bytes, ProxyHeader& into)
{
    if (into.family == Family::unix_socket) {
        into.source_path = path_at(bytes);
        into.destination_path = path_at(bytes.substr(path_bytes));
        return;
    }
    const bool v6 = into.family == Family::inet6;
    const std::size_t size = v6 ? 16 : 4;
    into.source = {address_at(bytes, v6), u16_at(bytes, 2 * size)};
    into.destination = {address_at(bytes.substr(size), v6), u16_at(bytes, 2 * size + 2)};
}

std::size_t address_bytes(Family family)
{
    switch (family) {
    case Family::inet: return 12;
    case Family::inet6: return 36;
    case Family::unix_socket: return 216;
    case Family::unspecified: break;
    }
    return 0;
}

Result<ProxyAnswer> read_block(std::string_view header, std::uint8_t kind, ProxyHeader into)
{
    into.size_bytes = header.size();
    if (into.local) return ProxyAnswer{std::move(into)};
    const auto family = static_cast<Family>(kind >> 4);
    const auto transport = static_cast<Transport>(kind & 0x0f);
    if (family == Family::unspecified || transport == Transport::unspecified) {
        if (kind == 0 && is_list_of_tlvs(header.substr(v2_fixed_bytes)))
            if (const auto read = read_tlvs(header, v2_fixed_bytes, into); !read) return read.error();
        return ProxyAnswer{std::move(into)};
    }
    into.family = family;
    into.transport = transport;
    read_addresses(header.substr(v2_fixed_bytes), into);
    if (const auto read = read_tlvs(header, v2_fixed_bytes + address_bytes(family), into); !read) return read.error();
    return ProxyAnswer{std::move(into)};
}

/// `received` begins with the signature.
Result<ProxyAnswer> parse_v2(std::string_view received)
{
    ProxyHeader header;
    if (received.size() <= v2_signature.size()) return ProxyAnswer{NeedMore{}};
    const auto command = byte_at(received, 12);
    header.local = command == version_2_local;
    if (command >> 4 != 2) return malformed("a version that is not 2");
    if (command != version_2_local && command != version_2_proxy)
        return malformed("version 2, neither LOCAL nor PROXY");
    if (received.size() <= 13) return ProxyAnswer{NeedMore{}};
    const auto kind = byte_at(received, 13);
    if (!header.local && (kind >> 4 > 3 || (kind & 0x0f) > 2))
        return malformed("version 2, a family or transport that does not exist");
    if (received.size() < v2_fixed_bytes) return ProxyAnswer{NeedMore{}};
    const auto size = v2_fixed_bytes + u16_at(received, 14);
    if (size > max_v2_header_bytes)
        return Error{Fault::too_large, Side::client, "PROXY header: " + std::to_string(size) + " bytes", {}};
    const bool addressed = !header.local && (kind & 0x0f) != 0;
    if (addressed && size < v2_fixed_bytes + address_bytes(static_cast<Family>(kind >> 4)))
        return malformed("version 2, too short for its addresses");
    if (received.size() < size) return ProxyAnswer{NeedMore{}};
    return read_block(received.substr(0, size), kind, std::move(header));
}

} // namespace

Result<ProxyAnswer> parse_proxy_header(std::string_view received)
{
    for (const auto signature : {v1_signature, v2_signature}) {
        const auto common = std::min(received.size(), signature.size());
        if (received.substr(0, common) != signature.substr(0, common)) continue;
        if (common < signature.size()) return ProxyAnswer{NeedMore{}};
        return signature == v1_signature ? parse_v1(received) : parse_v2(received);
    }
    return ProxyAnswer{Absent{}};
}

std::optional<Tlv> next_tlv(std::string_view& tlvs)
{
    if (tlvs.size() < tlv_head_bytes) return std::nullopt;
    const std::size_t size = u16_at(tlvs, 1);
    if (tlvs.size() - tlv_head_bytes < size) return std::nullopt;
    const Tlv one{byte_at(tlvs, 0), tlvs.substr(tlv_head_bytes, size)};
    tlvs.remove_prefix(tlv_head_bytes + size);
    return one;
}

std::optional<std::string_view> find_tlv(std::string_view tlvs, std::uint8_t type)
{
    while (const auto one = next_tlv(tlvs))
        if (one->type == type) return one->value;
    return std::nullopt;
}

bool says_tls(std::string_view tlvs)
{
    const auto ssl = find_tlv(tlvs, tlv::ssl);
    return ssl && !ssl->empty() && (byte_at(*ssl, 0) & client_over_tls) != 0;
}

} // namespace gw::intake
