#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// What reading and writing a PROXY header have in common. Private to this room.
namespace gw::intake::wire {

inline constexpr std::string_view v1_signature = "PROXY";
inline constexpr std::string_view v2_signature{"\r\n\r\n\0\r\nQUIT\n", 12};
inline constexpr std::size_t v2_fixed_bytes = 16;
inline constexpr std::size_t path_bytes = 108;
inline constexpr std::size_t tlv_head_bytes = 3;
inline constexpr std::size_t checksum_bytes = 4;
inline constexpr std::uint8_t version_2_local = 0x20;
inline constexpr std::uint8_t version_2_proxy = 0x21;

inline std::uint8_t byte_at(std::string_view bytes, std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); }
inline std::uint16_t u16_at(std::string_view bytes, std::size_t at)
{
    return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}
inline std::uint32_t u32_at(std::string_view bytes, std::size_t at)
{
    return static_cast<std::uint32_t>(u16_at(bytes, at)) << 16 | u16_at(bytes, at + 2);
}
inline void append_u16(std::string& out, std::size_t value)
{
    out += static_cast<char>(value >> 8 & 0xff);
    out += static_cast<char>(value & 0xff);
}

} // namespace gw::intake::wire
