// fuzz-sources:
#include "gateway/base/log.h"

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <vector>

namespace {

void require(bool holds)
{
    if (!holds) std::abort();
}

unsigned hex(char c) { return static_cast<unsigned>(c >= 'a' ? c - 'a' + 10 : c - '0'); }

/// What a reader of the log does who wants the very bytes back.
std::string unescaped_json(std::string_view text)
{
    std::string bytes;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '\\') {
            bytes += text[at];
            continue;
        }
        require(at + 1 < text.size());
        if (text[at + 1] != 'u') {
            require(text[at + 1] == '"' || text[at + 1] == '\\');
            bytes += text[++at];
            continue;
        }
        require(at + 5 < text.size() && text.substr(at, 4) == "\\u00");
        bytes += static_cast<char>(hex(text[at + 4]) * 16 + hex(text[at + 5]));
        at += 5;
    }
    return bytes;
}

std::string unescaped_plain(std::string_view text)
{
    std::string bytes;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '\\') {
            bytes += text[at];
        } else if (text[at + 1] == 'x') {
            bytes += static_cast<char>(hex(text[at + 2]) * 16 + hex(text[at + 3]));
            at += 3;
        } else {
            bytes += text[++at];
        }
    }
    return bytes;
}

} // namespace

// Any bytes give one line that every JSON reader takes, with nothing in it that drives a terminal or ends a line, and
// the bytes can be had back from it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::vector<char> exact(data, data + size);
    const std::string_view bytes{exact.data(), exact.size()};
    std::string json;
    gw::log::append_json(json, bytes);
    for (const char c : json) require(static_cast<unsigned char>(c) >= 0x20 && c != '\x7f');
    for (const auto* never : {"\xe2\x80\xa8", "\xe2\x80\xa9"}) require(json.find(never) == std::string::npos);
    for (std::size_t at = 0; (at = json.find('\xc2', at)) != std::string::npos; ++at)
        require(at + 1 < json.size() && static_cast<unsigned char>(json[at + 1]) >= 0xa0);
    const auto parsed = nlohmann::json::parse("{\"text\":\"" + json + "\",\"last\":1}", nullptr, false);
    require(parsed.is_object() && parsed.size() == 2 && parsed["last"] == 1 && parsed["text"].is_string());
    require(unescaped_json(json) == bytes);

    std::string plain;
    gw::log::append_plain(plain, bytes);
    for (const char c : plain) require(c >= ' ' && c < '\x7f');
    require(unescaped_plain(plain) == bytes);
    return 0;
}
