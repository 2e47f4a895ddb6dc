// fuzz-sources: netfilter/doctor/ruleset.cpp netfilter/doctor/fates.cpp netfilter/doctor/mark_effect.cpp
//
// Rules of others as nft prints them, JSON first, then the text after a zero byte: whatever they are, each packet comes
// to an end, and what is said of it is about rules that are there.

#include "netfilter/doctor/ruleset.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace gw::doctor;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto zero = std::min(input.find('\0'), input.size());
    auto ruleset = parse_ruleset(input.substr(0, zero));
    if (!ruleset) return 0;
    if (zero < input.size()) add_texts(*ruleset, input.substr(zero + 1));
    Packet packet;
    packet.iif = "inside";
    packet.port = 80;
    packet.mark = 0x01000000;
    packet.destination = gw::Address::v4({192, 0, 2, 1});
    for (const char* hook : {"prerouting", "input", "forward", "output", "postrouting"})
        for (const auto& fate : fates_of(*ruleset, hook, packet, "gateway")) {
            if (fate.sure == Sure::no || fate.chain == nullptr || fate.base == nullptr) std::abort();
            if (fate.rule == nullptr && !fate.chain->policy_drop) std::abort();
            if (fate.base->hook != hook || is_own(*fate.base, "gateway")) std::abort();
        }
    return 0;
}
