#include "waf/engine/cost.h"

#include <algorithm>
#include <cctype>

namespace gw::waf {

namespace {

std::size_t count(std::string_view text, char separator)
{
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), separator));
}

bool contains_no_case(std::string_view text, std::string_view word)
{
    const auto same = [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
    };
    return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
}

// Each value of JSON ends at a comma or a closing bracket. Those inside strings are counted too: an upper bound.
std::size_t count_json(std::string_view body)
{
    return static_cast<std::size_t>(
        std::count_if(body.begin(), body.end(), [](char c) { return c == ',' || c == '[' || c == '{'; }));
}

// Every part of a multipart body begins with a line that begins with two hyphens.
std::size_t count_parts(std::string_view body)
{
    constexpr std::string_view mark = "\n--";
    std::size_t found = 1;
    for (auto at = body.find(mark); at != std::string_view::npos; at = body.find(mark, at + mark.size())) ++found;
    return found;
}

bool is_form(std::string_view type)
{
    return type.find('/') == std::string_view::npos || contains_no_case(type, "urlencoded") ||
           contains_no_case(type.substr(0, 5), "text/");
}

std::size_t count_body(std::string_view type, std::string_view body)
{
    if (contains_no_case(type, "multipart/")) return count_parts(body);
    if (contains_no_case(type, "json") || contains_no_case(type, "report")) return count_json(body);
    if (contains_no_case(type, "xml")) return 0;
    return is_form(type) ? 1 + count(body, '&') : 0;
}

} // namespace

std::size_t count_inputs(const RequestView& request)
{
    std::size_t found = 0;
    if (request.target.find('?') != std::string_view::npos) found += 1 + count(request.target, '&');
    std::string_view type;
    for (const auto& field : request.fields) {
        ++found;
        if (http::same_name(field.name, "cookie")) found += count(field.value, ';');
        if (http::same_name(field.name, "content-type")) type = field.value;
    }
    if (!request.body.empty()) found += count_body(type, request.body);
    return found;
}

} // namespace gw::waf
