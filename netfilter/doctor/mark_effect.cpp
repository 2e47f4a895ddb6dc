#include "netfilter/doctor/mark_effect.h"

#include <charconv>

namespace gw::doctor {

bool is_mark(const Json& json)
{
    const auto* meta = member(json, "meta");
    return meta != nullptr && text_of(member(*meta, "key")) == "mark";
}

Effect effect_of(const Json& value)
{
    if (value.is_number_unsigned()) {
        const auto all = value.get<std::uint32_t>();
        return {0xffffffff, all};
    }
    if (is_mark(value)) return {0, 0};
    for (const char* op : {"|", "^", "&"}) {
        const auto* sides = member(value, op);
        if (sides == nullptr || !sides->is_array() || sides->size() != 2) continue;
        if (!(*sides)[1].is_number_unsigned()) return {0xffffffff, std::nullopt};
        const auto right = (*sides)[1].get<std::uint32_t>();
        const auto left = effect_of((*sides)[0]);
        if (!left.touches) return {};
        if (*op == '&') {
            const auto touches = *left.touches | ~right;
            return {touches, left.becomes ? std::optional(*left.becomes & right) : std::nullopt};
        }
        return {*left.touches | right,
                left.becomes && *op == '|' ? std::optional(*left.becomes | right) : std::nullopt};
    }
    return {0xffffffff, std::nullopt}; // from conntrack, a map, ...
}

Effect effect_in(std::string_view text)
{
    constexpr std::string_view lead = "meta mark set ";
    const auto at = text.find(lead);
    if (at == std::string_view::npos) return {};
    text.remove_prefix(at + lead.size());
    const auto number_after = [&](std::string_view word) -> std::optional<std::uint32_t> {
        const auto found = text.find(word);
        if (found == std::string_view::npos) return std::nullopt;
        const auto digits = text.substr(found + word.size());
        std::uint32_t number = 0;
        const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
        return read.ec == std::errc{} ? std::optional(number) : std::nullopt;
    };
    if (text.starts_with("0x")) {
        const auto all = number_after("0x");
        return {0xffffffff, all};
    }
    const auto kept = number_after("and 0x");
    std::uint32_t touches = kept ? ~*kept : 0;
    const auto set = number_after(" or 0x");
    const auto flipped = number_after("xor 0x");
    touches |= set.value_or(0) | flipped.value_or(0);
    if (!kept && !set && !flipped) return {0xffffffff, std::nullopt};
    return {touches, flipped && !set ? flipped : set};
}

} // namespace gw::doctor
