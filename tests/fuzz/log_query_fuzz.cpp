// fuzz-sources: gateway/control/log_query.cpp
#include "gateway/control/log_query.h"

#include <cstdlib>
#include <vector>

namespace {

using namespace gw::control;

void require(bool holds)
{
    if (!holds) std::abort();
}

std::string escaped(std::string_view text)
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

/// The same question in the one form that escapes everything.
std::string written(const LogQuery& query)
{
    return "after=" + std::to_string(query.after) + "&limit=" + std::to_string(query.limit) +
           "&wait_ms=" + std::to_string(query.wait.count()) + "&kind=" + escaped(query.kind) +
           "&status=" + escaped(query.status) + "&client=" + escaped(query.client) + "&host=" + escaped(query.host) +
           "&route=" + escaped(query.route) + "&verdict=" + escaped(query.verdict);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::vector<char> exact(data, data + size);
    const auto query = parse_log_query({exact.data(), exact.size()});
    if (!query) {
        require(query.error().side == gw::Side::client && !query.error().what.empty());
        return 0;
    }
    require(query->limit <= most_log_records && query->wait <= longest_log_wait && query->wait.count() >= 0);
    const auto text = written(*query);
    const auto again = parse_log_query(text);
    require(again.has_value() && written(*again) == text);
    return 0;
}
