// fuzz-sources: gateway/keeper/descriptor_name.cpp
// A name that a service manager hands over with a descriptor. Oracles: what decodes encodes to the very bytes it came
// from, within the service manager's limits; no more of it decodes, and nothing less but a shorter number at its end.
#include "gateway/keeper/descriptor_name.h"

#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

void must(bool holds)
{
    if (!holds) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto name = gw::keeper::decode_descriptor_name(text);
    if (!name) return 0;
    must(gw::keeper::encode(*name) == text);
    must(text.size() <= gw::keeper::max_descriptor_name_bytes && name->bound.port != 0);
    for (const char c : text) must(c > ' ' && c < 127 && c != ':');
    must(!gw::keeper::decode_descriptor_name(std::string{text} + '/'));
    for (std::size_t cut = 0; cut <= text.rfind('/') + 1; ++cut)
        must(!gw::keeper::decode_descriptor_name(text.substr(0, cut)));
    return 0;
}
