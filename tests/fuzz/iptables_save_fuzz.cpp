// fuzz-sources: netfilter/*_text.cpp netfilter/*rules.cpp netfilter/re*.cpp netfilter/plan.cpp netfilter/intervals.cpp
// fuzz-sources: netfilter/iptables_guard.cpp netfilter/iptables_writer.cpp netfilter/network_sets.cpp
//
// What iptables-save says of others' rules and of ours. What is made of it deletes and empties nothing that is not
// ours, and puts no line into it that the input had not.

#include "netfilter/iptables_text.h"
#include "netfilter/rules.h"

#include <cstdint>
#include <cstdlib>

using namespace gw::netfilter;

namespace {

void require(bool holds)
{
    if (!holds) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const Settings settings;
    const auto found = ours_in(settings, input);
    for (const auto& chain : found.chains) require(is_our_chain(settings, chain.name));
    for (const auto& rule : found.rules) {
        require(input.find(rule.line) != std::string_view::npos);
        require(is_our_chain(settings, rule.chain) || rule.comment.starts_with("gateway: "));
    }
    require(difference({}, found).empty() == found.empty());
    auto text = restore_text({}, found);
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.erase(0, line.size() + 1);
        if (line.starts_with(':')) require(is_our_chain(settings, line.substr(1, line.find(' ') - 1)));
        if (line.starts_with("-X ")) require(is_our_chain(settings, line.substr(3)));
        if (line.starts_with("-D "))
            require(line.find("gateway: ") != std::string::npos || line.starts_with("-D gateway-"));
        require(!line.starts_with("-A ") && !line.starts_with("-I ") && !line.starts_with("-F "));
    }
    return 0;
}
