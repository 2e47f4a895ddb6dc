// fuzz-sources: gateway/keeper/stored.cpp
// A configuration as it lies in the state directory, the sum left out: it is put right here. Oracles: what decodes
// encodes to the very bytes it came from; no cut of it decodes.
#include "gateway/keeper/stored.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

void must(bool holds)
{
    if (!holds) std::abort();
}

std::string summed(std::string_view content)
{
    std::uint64_t sum = 0xcbf29ce484222325;
    for (const char c : content) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    char line[32];
    std::snprintf(line, sizeof line, "sum %016llx\n", static_cast<unsigned long long>(sum));
    return std::string{content} + line;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view content{reinterpret_cast<const char*>(data), size};
    const auto raw = gw::keeper::decode_stored(content);
    if (raw) must(gw::keeper::encode_stored(*raw) == content);
    const auto text = summed(content);
    const auto stored = gw::keeper::decode_stored(text);
    if (!stored) return 0;
    must(gw::keeper::encode_stored(*stored) == text);
    must(!gw::keeper::decode_stored(std::string_view{text}.substr(0, text.size() / 2)));
    return 0;
}
