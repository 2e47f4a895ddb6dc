#include "gateway/http/message.h"

#include "gateway/http/bytes.h"

#include <algorithm>
#include <array>
#include <span>

namespace gw::http {

namespace {

const Field* find_in(const std::vector<Field>& fields, std::string_view name)
{
    for (const auto& field : fields)
        if (same_name(field.name, name)) return &field;
    return nullptr;
}

bool is_one_of(std::string_view name, std::span<const std::string_view> names)
{
    return std::any_of(names.begin(), names.end(), [name](auto one) { return same_name(name, one); });
}

bool begins_with(std::string_view name, std::string_view prefix)
{
    return name.size() > prefix.size() && same_name(name.substr(0, prefix.size()), prefix);
}

/// Fields that say what the message is, for everybody on its way: no Connection may name them (RFC 9110 section 7.6.1).
bool is_meaning(std::string_view name)
{
    constexpr std::array<std::string_view, 9> names{"host",   "authorization", "cookie",   "set-cookie", "range",
                                                    "expect", "cache-control", "location", "vary"};
    return is_one_of(name, names) || begins_with(name, "content-") || begins_with(name, "if-") ||
           is_forwarding_field(name);
}

} // namespace

bool same_name(std::string_view a, std::string_view b)
{
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (a[i] != b[i] && bytes::lower(a[i]) != bytes::lower(b[i])) return false;
    return true;
}

bool is_forwarding_field(std::string_view name)
{
    constexpr std::string_view prefix = "x-forwarded";
    switch (name.size()) {
    case 9: return same_name(name, "forwarded") || same_name(name, "x-real-ip");
    case 10: return false;
    case 11: return same_name(name, "x-client-ip") || same_name(name, prefix);
    case 14:
        if (same_name(name, "true-client-ip")) return true;
        break;
    default: break;
    }
    return name.size() > prefix.size() && name[prefix.size()] == '-' &&
           same_name(name.substr(0, prefix.size()), prefix);
}

const Field* RequestHead::find(std::string_view name) const { return find_in(fields, name); }
const Field* ResponseHead::find(std::string_view name) const { return find_in(fields, name); }

bool ends_here(std::string_view field_name, const std::vector<std::string_view>& connection_options)
{
    // By length first: most fields are none of these, and this is asked of every field of every message.
    switch (field_name.size()) {
    case 2:
        if (same_name(field_name, "te")) return true;
        break;
    case 7:
        if (same_name(field_name, "upgrade")) return true;
        break;
    case 10:
        if (same_name(field_name, "connection") || same_name(field_name, "keep-alive")) return true;
        break;
    case 16:
        if (same_name(field_name, "proxy-connection")) return true;
        break;
    case 17:
        if (same_name(field_name, "transfer-encoding")) return true;
        break;
    case 18:
        if (same_name(field_name, "proxy-authenticate")) return true;
        break;
    case 19:
        if (same_name(field_name, "proxy-authorization")) return true;
        break;
    default: break;
    }
    return is_one_of(field_name, connection_options) && !is_meaning(field_name);
}

} // namespace gw::http
