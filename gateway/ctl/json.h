#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace gw::ctl {

/// Keeps the order of its members, so that what is printed has the order the daemon chose.
using Json = nlohmann::ordered_json;

/// None: not JSON, or nested deeper than 64.
std::optional<Json> parse_json(std::string_view text);

/// ASCII only, so that no byte of it is a terminal's command. One line, or indented by two when `indented`.
std::string json_text(const Json& value, bool indented);

/// Members as they are wanted. A daemon of another version may leave one out or change its type; a view then shows
/// nothing there and goes on. Numbers and booleans count as text, too.
std::string text_at(const Json& object, std::string_view key);
/// The kernel rules in an answer of /v1/rules, of nft or of iptables.
std::string rules_text(const Json& rules);
std::uint64_t count_at(const Json& object, std::string_view key);
double number_at(const Json& object, std::string_view key);
bool flag_at(const Json& object, std::string_view key);
bool has(const Json& object, std::string_view key);              ///< there, and not null
const Json& list_at(const Json& object, std::string_view key);   ///< an empty array when it is none
const Json& object_at(const Json& object, std::string_view key); ///< an empty object when it is none

} // namespace gw::ctl
