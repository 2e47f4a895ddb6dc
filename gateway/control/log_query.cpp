#include "gateway/control/log_query.h"

#include <algorithm>
#include <charconv>

namespace gw::control {

std::string decoded(std::string_view text)
{
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        unsigned byte = 0;
        const bool escape =
            text[at] == '%' && at + 2 < text.size() &&
            std::from_chars(text.data() + at + 1, text.data() + at + 3, byte, 16).ptr == text.data() + at + 3;
        out += escape ? static_cast<char>(byte) : text[at];
        if (escape) at += 2;
    }
    return out;
}

namespace {

struct TextFilter {
    std::string_view name;
    std::string LogQuery::*value;
};
constexpr TextFilter text_filters[] = {{"kind", &LogQuery::kind},     {"status", &LogQuery::status},
                                       {"client", &LogQuery::client}, {"host", &LogQuery::host},
                                       {"route", &LogQuery::route},   {"verdict", &LogQuery::verdict}};

Result<> take(std::string_view name, std::string_view value, LogQuery& into)
{
    for (const auto& filter : text_filters) {
        if (name != filter.name) continue;
        into.*filter.value = decoded(value);
        return {};
    }
    if (name != "after" && name != "limit" && name != "wait_ms")
        return Error{Fault::malformed, Side::client, "unknown filter " + std::string{name}, {}};
    std::uint64_t number = 0;
    const auto [end, wrong] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (wrong != std::errc{} || end != value.data() + value.size())
        return Error{Fault::malformed, Side::client, std::string{name} + " is not a number", {}};
    if (name == "after")
        into.after = number;
    else if (name == "limit")
        into.limit = static_cast<std::size_t>(std::min<std::uint64_t>(number, most_log_records));
    else
        into.wait = std::min(std::chrono::milliseconds{std::min<std::uint64_t>(number, 1'000'000)}, longest_log_wait);
    return {};
}

} // namespace

Result<LogQuery> parse_log_query(std::string_view query)
{
    LogQuery parsed;
    while (!query.empty()) {
        const auto pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(pair.size() + 1, query.size()));
        const auto equals = pair.find('=');
        const auto value = equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
        const auto taken = take(pair.substr(0, equals), value, parsed);
        if (!taken) return taken.error();
    }
    return parsed;
}

} // namespace gw::control
