#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace gw::doctor {

using Json = nlohmann::json;

inline const Json* member(const Json& object, const char* key)
{
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
}

inline std::string text_of(const Json* json)
{
    return json != nullptr && json->is_string() ? json->get<std::string>() : "";
}

/// What a statement does to a packet's mark.
struct Effect {
    std::optional<std::uint32_t> touches{}; ///< bits that may be another afterwards; none: it does nothing to it
    std::optional<std::uint32_t> becomes{}; ///< what they are then, where that is known
};

/// `meta mark`, as libnftables writes it.
bool is_mark(const Json& json);
/// Of `meta mark set VALUE`.
Effect effect_of(const Json& value);
/// The same from "meta mark set mark or 0x1000000", as nft prints what iptables-nft made.
Effect effect_in(std::string_view text);

} // namespace gw::doctor
