#pragma once

#include "netfilter/settings.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace gw::config {

/// "80", "0x1f". No sign, and no leading zero, which YAML 1.1 and 1.2 read differently.
std::optional<std::uint64_t> parse_integer(std::string_view text);
/// "512", "512B", "32KiB", "8MiB", "1GiB" in bytes.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// "500ms", "5s", "10m", "1h". A unit is required.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// "443", "8000-8080", from 1 to 65535.
std::optional<netfilter::PortRange> parse_ports(std::string_view text);

inline constexpr std::string_view integer_pattern = "^(0|[1-9][0-9]*|0x[0-9A-Fa-f]+)$";
inline constexpr std::string_view size_pattern = "^(0|[1-9][0-9]*)(B|KiB|MiB|GiB)?$";
inline constexpr std::string_view duration_pattern = "^(0|[1-9][0-9]*)(ms|s|m|h)$";

} // namespace gw::config
