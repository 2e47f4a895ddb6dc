#include "gateway/ctl/json.h"

namespace gw::ctl {

namespace {

constexpr int max_depth = 64;

const Json* member(const Json& object, std::string_view key)
{
    if (!object.is_object()) return nullptr;
    const auto found = object.find(std::string(key));
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

} // namespace

std::optional<Json> parse_json(std::string_view text)
{
    bool too_deep = false;
    const auto watch = [&](int depth, Json::parse_event_t, Json&) {
        too_deep = too_deep || depth > max_depth;
        return !too_deep;
    };
    auto value = Json::parse(text.begin(), text.end(), watch, false);
    if (too_deep || value.is_discarded()) return std::nullopt;
    return value;
}

std::string json_text(const Json& value, bool indented)
{
    return value.dump(indented ? 2 : -1, ' ', true, Json::error_handler_t::replace);
}

std::string text_at(const Json& object, std::string_view key)
{
    const auto* found = member(object, key);
    if (!found) return {};
    if (found->is_string()) return found->get<std::string>();
    return found->is_primitive() ? found->dump() : std::string();
}

std::string rules_text(const Json& rules)
{
    auto nft = text_at(rules, "nft");
    return nft.empty() ? text_at(rules, "iptables") : nft;
}

std::uint64_t count_at(const Json& object, std::string_view key)
{
    const auto* found = member(object, key);
    if (!found || !found->is_number()) return 0;
    if (found->is_number_unsigned()) return found->get<std::uint64_t>();
    if (found->is_number_integer()) return 0; // negative
    const auto number = found->get<double>();
    return number > 0 && number < 1e18 ? static_cast<std::uint64_t>(number) : 0;
}

double number_at(const Json& object, std::string_view key)
{
    const auto* found = member(object, key);
    return found && found->is_number() ? found->get<double>() : 0;
}

bool flag_at(const Json& object, std::string_view key)
{
    const auto* found = member(object, key);
    return found && found->is_boolean() && found->get<bool>();
}

bool has(const Json& object, std::string_view key) { return member(object, key) != nullptr; }

const Json& list_at(const Json& object, std::string_view key)
{
    static const Json none = Json::array();
    const auto* found = member(object, key);
    return found && found->is_array() ? *found : none;
}

const Json& object_at(const Json& object, std::string_view key)
{
    static const Json none = Json::object();
    const auto* found = member(object, key);
    return found && found->is_object() ? *found : none;
}

} // namespace gw::ctl
