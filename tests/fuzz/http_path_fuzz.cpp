// fuzz-sources: gateway/http/path.cpp gateway/http/url.cpp
#include "gateway/http/path.h"
#include "gateway/http/url.h"

#include <cstdlib>
#include <vector>

namespace {

using namespace gw::http;

void require(bool holds)
{
    if (!holds) std::abort();
}

/// What an upstream may resolve that takes some of these for a slash too. Returns false when it climbs above the root.
bool resolve(std::string_view path, bool backslash, bool escaped_slash, bool escaped_backslash, std::string& out)
{
    std::string plain;
    for (std::size_t i = 0; i < path.size(); ++i) {
        const auto three = path.substr(i, 3);
        if ((backslash && path[i] == '\\'))
            plain += '/';
        else if ((escaped_slash && three == "%2F") || (escaped_backslash && three == "%5C"))
            plain += '/', i += 2;
        else
            plain += path[i];
    }
    std::vector<std::string> segments;
    for (std::size_t at = 1; at <= plain.size();) {
        const auto end = std::min(plain.find('/', at), plain.size());
        const auto segment = plain.substr(at, end - at);
        const bool last = end == plain.size();
        if (segment == "..") {
            if (segments.empty()) return false;
            segments.pop_back();
        } else if (segment != ".") {
            segments.push_back(segment);
        }
        if (last && (segment == "." || segment == "..")) segments.emplace_back();
        at = end + 1;
    }
    out.clear();
    for (const auto& segment : segments) out += "/" + segment;
    return true;
}

void check_path(std::string_view path)
{
    std::string scratch, again_scratch, inspected_scratch;
    const auto normal = normalise_path(path, scratch);
    if (!normal) return;
    require(*normal == "*" || (normal->size() <= path.size() && normal->front() == '/'));
    const auto again = normalise_path(*normal, again_scratch);
    require(again.has_value() && *again == *normal && again->data() == normal->data());
    if (*normal == "*") return;
    // However the slashes are read, nothing is left to resolve.
    for (unsigned way = 0; way < 8; ++way) {
        std::string seen, unresolved;
        require(resolve(*normal, way & 1, way & 2, way & 4, seen));
        for (std::size_t i = 0; i < normal->size(); ++i) {
            const auto three = normal->substr(i, 3);
            if (((way & 1) && (*normal)[i] == '\\'))
                unresolved += '/';
            else if (((way & 2) && three == "%2F") || ((way & 4) && three == "%5C"))
                unresolved += '/', i += 2;
            else
                unresolved += (*normal)[i];
        }
        require(seen == unresolved);
    }
    const auto inspected = path_for_inspection(*normal, inspected_scratch);
    require(inspected.find("%3F") == std::string_view::npos || inspected.find("%253F") != std::string_view::npos);
}

void check_authority(std::string_view text)
{
    const auto parsed = parse_authority(text);
    if (!parsed) return;
    require(!parsed->host.empty() && parsed->host.find_first_of("@/?#, %\\") == std::string_view::npos);
    auto written = text.front() == '[' ? "[" + std::string{parsed->host} + "]" : std::string{parsed->host};
    if (parsed->port != 0) written += ":" + std::to_string(parsed->port);
    require(written == text);
    std::string scratch, again;
    const auto host = normalise_host(parsed->host, scratch);
    require(normalise_host(host, again) == host);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    // Exactly as long as it is, so that a byte read too far is found.
    const std::vector<char> exact(data, data + size);
    check_path({exact.data(), exact.size()});
    check_authority({exact.data(), exact.size()});
    return 0;
}
