#include "gateway/intake/proxy_header.h"

#include "gateway/intake/crc32c.h"

#include <array>
#include <gtest/gtest.h>
#include <ostream>

namespace gw::intake {
namespace {

using Family = ProxyHeader::Family;
using Transport = ProxyHeader::Transport;

constexpr std::string_view good = "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n";
constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12};
const auto v4_block = std::string{"\xc0\x00\x02\x07\xc6\x33\x64\x01\x9c\x40\x01\xbb", 12}; // as in `good`

std::string u16(std::size_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }

std::string v2(char command, char kind, const std::string& block)
{
    return std::string{signature} + command + kind + u16(block.size()) + block;
}
std::string v2_tcp4(const std::string& tlvs = {}) { return v2('\x21', '\x11', v4_block + tlvs); }
std::string tlv_bytes(std::uint8_t type, const std::string& value)
{
    return static_cast<char>(type) + u16(value.size()) + value;
}

/// The header in `bytes`, which must be one.
ProxyHeader header_in(std::string_view bytes)
{
    const auto answer = parse_proxy_header(bytes);
    if (!answer) {
        ADD_FAILURE() << answer.error().what;
        return {};
    }
    const auto* header = std::get_if<ProxyHeader>(&*answer);
    EXPECT_NE(header, nullptr) << "index " << answer->index();
    return header != nullptr ? *header : ProxyHeader{};
}

std::string text_of(const ProxyHeader& h) { return h.source.text() + " > " + h.destination.text(); }

void is_broken(std::string_view bytes, std::string_view why)
{
    const auto answer = parse_proxy_header(bytes);
    ASSERT_FALSE(answer) << "taken: " << ::testing::PrintToString(bytes);
    EXPECT_EQ(answer.error().fault, Fault::malformed);
    EXPECT_EQ(answer.error().side, Side::client);
    EXPECT_NE(answer.error().what.find(why), std::string::npos) << answer.error().what;
}

void asks_for_more(std::string_view bytes)
{
    const auto answer = parse_proxy_header(bytes);
    ASSERT_TRUE(answer) << answer.error().what;
    EXPECT_TRUE(std::holds_alternative<NeedMore>(*answer)) << ::testing::PrintToString(bytes);
}

bool is_absent(std::string_view bytes)
{
    const auto answer = parse_proxy_header(bytes);
    return answer && std::holds_alternative<Absent>(*answer);
}

// --- both versions

TEST(ProxyHeader, AsksForMoreAtEveryCut)
{
    for (const auto& whole :
         {std::string{good}, std::string{"PROXY UNKNOWN\r\n"}, v2_tcp4(tlv_bytes(tlv::authority, "a.example")),
          std::string{"PROXY TCP6 2001:db8::7 2001:db8:1::1 40000 443\r\n"}, v2('\x20', '\0', "")})
        for (std::size_t cut = 0; cut < whole.size(); ++cut) {
            SCOPED_TRACE("cut at " + std::to_string(cut));
            asks_for_more(std::string_view{whole}.substr(0, cut));
        }
}

TEST(ProxyHeader, EndsWhereThePayloadBegins)
{
    EXPECT_EQ(header_in(std::string{good} + "GET / HTTP/1.1\r\n").size_bytes, good.size());
    EXPECT_EQ(header_in(v2_tcp4() + "GET / HTTP/1.1\r\n").size_bytes, 28u);
    EXPECT_EQ(header_in(std::string{good} + std::string{good}).size_bytes, good.size());
}

TEST(ProxyHeader, IsAbsentAsSoonAsTheInputCannotBecomeOne)
{
    EXPECT_TRUE(is_absent("G"));
    EXPECT_TRUE(is_absent("GET / HTTP/1.1\r\n"));
    EXPECT_TRUE(is_absent("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    EXPECT_TRUE(is_absent("proxy TCP4"));
    EXPECT_TRUE(is_absent("\x16\x03\x01"));
    EXPECT_TRUE(is_absent("\r\n\r\n\r"));
    EXPECT_TRUE(is_absent(std::string_view{"\r\n\r\n\0\r\nQUIT\r", 12}));
}

// --- version 1

TEST(ProxyHeaderV1, SaysWhoTheClientIs)
{
    const auto header = header_in(good);
    EXPECT_EQ(header.version, 1);
    EXPECT_TRUE(header.names_client());
    EXPECT_EQ(header.family, Family::inet);
    EXPECT_EQ(text_of(header), "192.0.2.7:40000 > 198.51.100.1:443");
    EXPECT_EQ(text_of(header_in("PROXY TCP6 2001:DB8::7 ::1 0 65535\r\n")), "[2001:db8::7]:0 > [::1]:65535");
    EXPECT_EQ(text_of(header_in("PROXY TCP6 ::ffff:192.0.2.7 ::ffff:c633:6401 1 2\r\n")),
              "[::ffff:192.0.2.7]:1 > [::ffff:198.51.100.1]:2");
}

TEST(ProxyHeaderV1, TakesTheLongestLinesOfItsSpecification)
{
    const std::string v6 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    const auto longest_v4 = header_in("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n");
    EXPECT_EQ(longest_v4.size_bytes, 56u);
    EXPECT_EQ(header_in("PROXY TCP6 " + v6 + ' ' + v6 + " 65535 65535\r\n").size_bytes, 104u);
    const auto unknown = header_in("PROXY UNKNOWN " + v6 + ' ' + v6 + " 65535 65535\r\n");
    EXPECT_EQ(unknown.size_bytes, max_v1_header_bytes);
    EXPECT_FALSE(unknown.names_client());
}

TEST(ProxyHeaderV1, MayNotBeLongerThan107Bytes)
{
    const std::string filled = "PROXY UNKNOWN " + std::string(91, 'x');
    ASSERT_EQ(filled.size(), 105u);
    EXPECT_EQ(header_in(filled + "\r\n").size_bytes, 107u);
    asks_for_more(filled);
    asks_for_more(filled + "\r");
    is_broken(filled + "x", "longer than 107");
    is_broken(filled + "x\r\n", "longer than 107");
}

TEST(ProxyHeaderV1, IsUnknownWithAndWithoutMoreBehindIt)
{
    for (const auto* line : {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN \r\n", "PROXY UNKNOWN anything at all\r\n"}) {
        const auto header = header_in(line);
        EXPECT_FALSE(header.names_client()) << line;
        EXPECT_EQ(header.size_bytes, std::string_view{line}.size());
    }
}

TEST(ProxyHeaderV1, IsRefusedWhereTheFormatBreaks)
{
    is_broken("PROXYTCP4", "no space");
    is_broken("PROXY\r\n", "fields are missing");
    is_broken("PROXY  TCP4", "protocol");
    is_broken("PROXY TCP5", "protocol");
    is_broken("PROXY TCP\r\n", "protocol");
    is_broken("PROXY UDP4 ", "protocol");
    is_broken("PROXY tcp4 ", "protocol");
    is_broken("PROXY UNKNOWNX\r\n", "protocol");
    is_broken("PROXY TCP4\r\n", "fields are missing");
    is_broken("PROXY TCP4 192.0.2.7 198.51.100.1 40000\r\n", "fields are missing");
    is_broken("PROXY TCP4 192.0.2.7  198.51.100.1", "address");
    is_broken("PROXY TCP4 192.0.2.07 ", "address");
    is_broken("PROXY TCP4 192.0.2 ", "address");
    is_broken("PROXY TCP4 192.0.2.256 ", "address");
    is_broken("PROXY TCP4 2001:db8::7 ", "address");
    is_broken("PROXY TCP4 host ", "address");
    is_broken("PROXY TCP6 192.0.2.7 ", "address");
    is_broken("PROXY TCP6 2001:db8::7%eth0 ", "address");
    is_broken("PROXY TCP6 2001::db8::7 ", "address");
    is_broken("PROXY TCP6 02001:db8::7 ", "address");
    is_broken("PROXY TCP4 1.2.3.4 1.2.3.5 01 2\r\n", "port");
    is_broken("PROXY TCP4 1.2.3.4 1.2.3.5 65536 2\r\n", "port");
    is_broken("PROXY TCP4 1.2.3.4 1.2.3.5 +1 2\r\n", "port");
    is_broken("PROXY TCP4 1.2.3.4 1.2.3.5 1 \r\n", "port");
    is_broken("PROXY TCP4 1.2.3.4 1.2.3.5 1 2 \r\n", "port");
    is_broken("PROXY TCP4 1.2.3.4 1.2.3.5 1 2 3\r\n", "port");
}

TEST(ProxyHeaderV1, EndsWithBothCarriageReturnAndLineFeed)
{
    is_broken("PROXY TCP4 1.2.3.4 1.2.3.5 1 2\n", "line feed");
    is_broken("PROXY TCP4 1.2.3.4 1.2.3.5 1 2\rG", "carriage return");
    is_broken("PROXY UNKNOWN\nGET", "line feed");
    is_broken("PROXY UNKNOWN a\rb\r\n", "carriage return");
}

// --- version 2

TEST(ProxyHeaderV2, SaysWhoTheClientIs)
{
    const auto header = header_in(v2_tcp4());
    EXPECT_EQ(header.version, 2);
    EXPECT_TRUE(header.names_client());
    EXPECT_EQ(text_of(header), "192.0.2.7:40000 > 198.51.100.1:443");

    std::string block(36, '\0');
    block[0] = '\x20', block[1] = '\x01', block[15] = '\x07', block[31] = '\x01', block[33] = '\x50',
    block[35] = '\x51';
    EXPECT_EQ(text_of(header_in(v2('\x21', '\x21', block))), "[2001::7]:80 > [::1]:81");
}

TEST(ProxyHeaderV2, SkipsWhateverStandsBehindLocal)
{
    for (const char kind : {'\x00', '\x11', '\x21', '\xff'})
        for (const auto* block : {"", "x", "not an address at all"}) {
            const auto header = header_in(v2('\x20', kind, block));
            EXPECT_TRUE(header.local);
            EXPECT_FALSE(header.names_client());
            EXPECT_EQ(header.size_bytes, 16 + std::string_view{block}.size());
            EXPECT_EQ(header.tlvs, "");
        }
}

TEST(ProxyHeaderV2, NamesNoClientForWhatIsNotTcp)
{
    const auto datagram = header_in(v2('\x21', '\x12', v4_block));
    EXPECT_EQ(datagram.transport, Transport::datagram);
    EXPECT_EQ(text_of(datagram), "192.0.2.7:40000 > 198.51.100.1:443");
    EXPECT_FALSE(datagram.names_client());

    std::string paths(216, '\0');
    paths.replace(0, 9, "/run/from");
    paths.replace(108, 7, "/run/to");
    const auto local = header_in(v2('\x21', '\x31', paths + tlv_bytes(tlv::netns, "blue")));
    EXPECT_EQ(local.source_path, "/run/from");
    EXPECT_EQ(local.destination_path, "/run/to");
    EXPECT_EQ(find_tlv(local.tlvs, tlv::netns), "blue");
    EXPECT_FALSE(local.names_client());

    for (const char kind : {'\x00', '\x01', '\x02', '\x10', '\x20', '\x30'}) {
        const auto header = header_in(v2('\x21', kind, "whatever"));
        EXPECT_EQ(header.family, Family::unspecified);
        EXPECT_EQ(header.size_bytes, 24u);
        EXPECT_EQ(header.tlvs, "");
    }
    EXPECT_EQ(find_tlv(header_in(v2('\x21', '\0', tlv_bytes(tlv::authority, "a"))).tlvs, tlv::authority), "a");
}

TEST(ProxyHeaderV2, IsRefusedWhereTheFormatBreaks)
{
    const std::string begin{signature};
    is_broken(begin + '\x11', "version");
    is_broken(begin + '\x31', "version");
    is_broken(begin + '\x22', "LOCAL nor PROXY");
    is_broken(begin + '\x2f', "LOCAL nor PROXY");
    is_broken(begin + "\x21\x41", "family");
    is_broken(begin + "\x21\x13", "family");
    is_broken(begin + std::string{"\x21\x11\x00\x0b", 4}, "too short");
    is_broken(begin + std::string{"\x21\x21\x00\x23", 4}, "too short");
    is_broken(begin + std::string{"\x21\x31\x00\xd7", 4}, "too short");
    is_broken(v2_tcp4("x"), "TLV");
    is_broken(v2_tcp4(std::string{"\x02\x00", 2}), "TLV");
    is_broken(v2_tcp4(std::string{"\x02\x00\x02x", 4}), "TLV");
    is_broken(v2_tcp4(std::string{"\x02\xff\xffx", 4}), "TLV");
}

TEST(ProxyHeaderV2, HasALimit)
{
    const std::string most(max_v2_header_bytes - 16 - 12 - 3, 'x');
    const auto header = header_in(v2_tcp4(tlv_bytes(0xe0, most)));
    EXPECT_EQ(header.size_bytes, max_v2_header_bytes);
    EXPECT_EQ(find_tlv(header.tlvs, 0xe0), most);

    for (const std::size_t size : {max_v2_header_bytes - 15, std::size_t{65'535}}) {
        const auto answer = parse_proxy_header(std::string{signature} + "\x21\x11" + u16(size));
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().fault, Fault::too_large);
        EXPECT_EQ(answer.error().side, Side::client);
    }
}

TEST(ProxyHeaderV2, KeepsItsTlvsAndThoseItDoesNotKnow)
{
    const auto header = header_in(v2_tcp4(
        tlv_bytes(tlv::alpn, "h2") + tlv_bytes(tlv::noop, "padding") + tlv_bytes(tlv::authority, "shop.example") +
        tlv_bytes(0xe7, "") + tlv_bytes(tlv::unique_id, std::string(128, 'u')) +
        tlv_bytes(tlv::ssl, std::string{"\x01\0\0\0\0", 5} + tlv_bytes(0x21, "TLSv1.3"))));
    EXPECT_EQ(find_tlv(header.tlvs, tlv::alpn), "h2");
    EXPECT_EQ(find_tlv(header.tlvs, tlv::authority), "shop.example");
    EXPECT_EQ(find_tlv(header.tlvs, 0xe7), "");
    EXPECT_EQ(find_tlv(header.tlvs, tlv::noop), std::nullopt);
    EXPECT_TRUE(says_tls(header.tlvs));
    EXPECT_FALSE(says_tls(tlv_bytes(tlv::ssl, std::string(5, '\0'))));
    EXPECT_FALSE(says_tls(""));
}

TEST(ProxyHeaderV2, IsRefusedForTlvsThatBreakTheirOwnFormat)
{
    is_broken(v2_tcp4(tlv_bytes(tlv::unique_id, std::string(129, 'u'))), "unique id");
    is_broken(v2_tcp4(tlv_bytes(tlv::ssl, "\x01")), "TLS");
    is_broken(v2_tcp4(tlv_bytes(tlv::ssl, std::string{"\x01\0\0\0\0\x21", 6})), "TLS");
    is_broken(v2_tcp4(tlv_bytes(tlv::ssl, std::string{"\x01\0\0\0\0\x21\x00\x05x", 9})), "TLS");
    is_broken(v2_tcp4(tlv_bytes(tlv::crc32c, "123")), "checksum");
}

TEST(ProxyHeaderV2, IsRefusedWhenItsChecksumIsWrong)
{
    auto bytes = v2_tcp4(tlv_bytes(tlv::authority, "a.example") + tlv_bytes(tlv::crc32c, std::string(4, '\0')));
    const auto right = crc32c(bytes);
    const auto at = bytes.size() - 4;
    for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(right >> (24 - 8 * i));
    EXPECT_TRUE(header_in(bytes).checksum);
    for (std::size_t i = 16; i < bytes.size(); ++i) {
        if (i == at - 3) continue; // the checksum's own type: then it is no checksum any more
        auto other = bytes;
        other[i] = static_cast<char>(other[i] ^ 1);
        EXPECT_FALSE(parse_proxy_header(other)) << "byte " << i;
    }
    is_broken(bytes.substr(0, 14) + u16(bytes.size() - 16 + 7) + bytes.substr(16) +
                  tlv_bytes(tlv::crc32c, std::string(4, '\0')),
              "checksum");
}

TEST(Crc32c, IsThatOfItsRfc)
{
    EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
    EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
    EXPECT_EQ(crc32c("6789", crc32c("12345")), crc32c("123456789"));
}

// --- writing

ProxyHeader tcp(int version, std::string_view from, std::string_view to)
{
    ProxyHeader header;
    header.version = version;
    header.source = Endpoint::parse(from).value();
    header.destination = Endpoint::parse(to).value();
    header.family = header.source.address.is_v6() ? Family::inet6 : Family::inet;
    header.transport = Transport::stream;
    return header;
}

TEST(ProxyHeaderWriting, IsWhatTheSpecificationShows)
{
    EXPECT_EQ(encode_proxy_header(tcp(1, "192.0.2.7:40000", "198.51.100.1:443")).value(), good);
    EXPECT_EQ(encode_proxy_header(tcp(2, "192.0.2.7:40000", "198.51.100.1:443")).value(), v2_tcp4());
    EXPECT_EQ(encode_proxy_header(tcp(1, "[::ffff:192.0.2.7]:1", "[2001:db8::1]:2")).value(),
              "PROXY TCP6 ::ffff:c000:207 2001:db8::1 1 2\r\n");
    ProxyHeader local;
    local.local = true;
    EXPECT_EQ(encode_proxy_header(local).value(), v2('\x20', '\0', ""));
    local.version = 1;
    EXPECT_EQ(encode_proxy_header(local).value(), "PROXY UNKNOWN\r\n");
}

TEST(ProxyHeaderWriting, NamesNobodyWhenTheFamiliesDiffer)
{
    auto mixed = tcp(1, "192.0.2.7:1", "[2001:db8::1]:2");
    EXPECT_EQ(encode_proxy_header(mixed).value(), "PROXY UNKNOWN\r\n");
    mixed.version = 2;
    EXPECT_EQ(encode_proxy_header(mixed).value(), v2('\x21', '\0', ""));
}

TEST(ProxyHeaderWriting, ChecksItsSumAndPassesTlvsOn)
{
    auto header = tcp(2, "192.0.2.7:1", "198.51.100.1:2");
    header.tlvs = tlv_bytes(tlv::authority, "a.example") + tlv_bytes(tlv::crc32c, "old!") + tlv_bytes(0xe0, "kept");
    header.checksum = true;
    const auto read = header_in(encode_proxy_header(header).value());
    EXPECT_TRUE(read.checksum);
    EXPECT_EQ(read.tlvs, tlv_bytes(tlv::authority, "a.example") + tlv_bytes(0xe0, "kept"));
}

TEST(ProxyHeaderWriting, SpillsNothingWhenThereIsTooMuch)
{
    auto header = tcp(2, "192.0.2.7:1", "198.51.100.1:2");
    header.tlvs = tlv_bytes(0xe0, std::string(max_v2_header_bytes - 16 - 12 - 3, 'x'));
    EXPECT_EQ(encode_proxy_header(header).value().size(), max_v2_header_bytes);
    header.checksum = true;
    EXPECT_EQ(encode_proxy_header(header).error().fault, Fault::too_large);
    header.checksum = false;
    for (const std::size_t size : {std::size_t{65'535}, std::size_t{64 * 1024 + 20}, std::size_t{1} << 20}) {
        header.tlvs.clear();
        for (std::size_t left = size; left > 3; left -= std::min<std::size_t>(left, 1'003))
            header.tlvs += tlv_bytes(0xe1, std::string(std::min<std::size_t>(left, 1'003) - 3, 'y'));
        const auto encoded = encode_proxy_header(header);
        ASSERT_FALSE(encoded);
        EXPECT_EQ(encoded.error().fault, Fault::too_large);
        EXPECT_EQ(encoded.error().side, Side::gateway);
    }
    header.tlvs = "broken";
    EXPECT_EQ(encode_proxy_header(header).error().fault, Fault::malformed);
    header.tlvs.clear();
    header.family = Family::unix_socket;
    header.source_path = std::string(109, 'p');
    EXPECT_EQ(encode_proxy_header(header).error().fault, Fault::malformed);
}

} // namespace
} // namespace gw::intake
