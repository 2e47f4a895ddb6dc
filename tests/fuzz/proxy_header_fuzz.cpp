// fuzz-sources: gateway/intake/proxy_header.cpp gateway/intake/proxy_header_encode.cpp gateway/intake/crc32c.cpp
#include "gateway/intake/proxy_header.h"

#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

using gw::intake::Absent;
using gw::intake::NeedMore;
using gw::intake::ProxyHeader;
using Answer = gw::Result<gw::intake::ProxyAnswer>;

void require(bool holds)
{
    if (!holds) std::abort();
}

bool same(const ProxyHeader& a, const ProxyHeader& b)
{
    return a.version == b.version && a.local == b.local && a.family == b.family && a.transport == b.transport &&
           a.source == b.source && a.destination == b.destination && a.source_path == b.source_path &&
           a.destination_path == b.destination_path && a.tlvs == b.tlvs && a.checksum == b.checksum;
}

const ProxyHeader* header_of(const Answer& answer) { return answer ? std::get_if<ProxyHeader>(&*answer) : nullptr; }
bool is_open(const Answer& answer) { return answer && std::holds_alternative<NeedMore>(*answer); }

bool same(const Answer& a, const Answer& b)
{
    if (!a || !b) return !a && !b && a.error().fault == b.error().fault;
    if (a->index() != b->index()) return false;
    const auto* header = header_of(a);
    return header == nullptr || (header->size_bytes == header_of(b)->size_bytes && same(*header, *header_of(b)));
}

/// What holds for every header by itself.
void check(std::string_view received, const ProxyHeader& header)
{
    require(header.size_bytes <= received.size());
    require(header.size_bytes <=
            (header.version == 1 ? gw::intake::max_v1_header_bytes : gw::intake::max_v2_header_bytes));
    require(header.tlvs.size() < header.size_bytes);
    require(header.version == 2 || (header.tlvs.empty() && !header.checksum && !header.local));
    if (header.local) require(header.tlvs.empty() && header.family == ProxyHeader::Family::unspecified);
    if (header.names_client())
        require(header.source.address.is_v6() == (header.family == ProxyHeader::Family::inet6) &&
                header.source.address.is_v6() == header.destination.address.is_v6());
    std::string_view rest = header.tlvs;
    while (gw::intake::next_tlv(rest)) {
    }
    require(rest.empty());

    // Written, it is the same header, and writing that again gives the same bytes.
    const auto encoded = gw::intake::encode_proxy_header(header);
    require(encoded.has_value() && encoded->size() <= header.size_bytes + (header.version == 1 ? 64 : 0));
    const auto again = gw::intake::parse_proxy_header(*encoded);
    require(header_of(again) != nullptr && same(*header_of(again), header));
    require(header_of(again)->size_bytes == encoded->size());
    require(*gw::intake::encode_proxy_header(*header_of(again)) == *encoded);

    // The other version is within its bounds, too.
    auto other = header;
    other.version = 3 - header.version;
    const auto converted = gw::intake::encode_proxy_header(other);
    require(converted.has_value());
    require(header_of(gw::intake::parse_proxy_header(*converted)) != nullptr);
    require(header_of(gw::intake::parse_proxy_header(*converted))->size_bytes == converted->size());
}

} // namespace

// Oracles: an answer never depends on how the bytes were cut, nor on what comes behind it; "need more" ends at the
// limit; what is read can be written, and reads the same. The whole input taken for TLVs is written within bounds.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using gw::intake::parse_proxy_header;
    const std::string_view received{reinterpret_cast<const char*>(data), size};
    const auto last = parse_proxy_header(received);
    if (const auto* header = header_of(last)) check(received, *header);
    if (received.size() >= gw::intake::max_v2_header_bytes) require(!is_open(last));

    const std::size_t step = received.size() < 600 ? 1 : received.size() / 300;
    bool decided = false;
    for (std::size_t cut = 0; cut <= received.size(); cut += step) {
        const auto part = parse_proxy_header(received.substr(0, cut));
        if (is_open(part)) {
            require(!decided);
            continue;
        }
        decided = true;
        require(same(part, last));
    }

    ProxyHeader header;
    header.tlvs = received;
    header.checksum = true;
    const auto encoded = gw::intake::encode_proxy_header(header);
    if (encoded) require(encoded->size() <= gw::intake::max_v2_header_bytes);
    return 0;
}
