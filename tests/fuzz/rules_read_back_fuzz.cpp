// fuzz-sources: netfilter/*_text.cpp netfilter/*rules.cpp netfilter/re*.cpp netfilter/plan.cpp netfilter/intervals.cpp
// The input is what nft might print of our tables. Oracles: nothing but the whole of a table agrees with a plan (what
// agrees does no longer without any line that holds a rule); a difference is one line; the chain of refusals is one of
// the two.
#include "netfilter/guard_text.h"
#include "netfilter/read_back.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace gw;
using namespace gw::netfilter;

Plan sample()
{
    Capture web;
    web.listener = "web";
    web.intercept.when_down = WhenDown::reject;
    web.intercept.to = {*Network::parse("192.0.2.0/24"), *Network::parse("2001:db8::/32")};
    web.intercept.ports = {{80, 80}, {8000, 8080}};
    web.port_v4 = 40'001;
    web.port_v6 = 40'002;
    auto plan = make_plan({}, {web}, {"eth0"});
    plan.heartbeat_port = 40'003;
    return plan;
}

void require(bool holds)
{
    if (!holds) std::abort();
}

void check(const Expected& expected, std::string_view listing)
{
    const auto lacks = difference(expected, listing);
    require(lacks.find('\n') == std::string::npos);
    if (!lacks.empty()) return;
    for (const Rule& rule : expected.rules) {
        const auto at = listing.find('"' + rule.comment + '"');
        require(at != std::string_view::npos);
        const auto first = listing.rfind('\n', at) + 1;
        std::string without(listing);
        without.erase(first, listing.find('\n', at) - first);
        require(!difference(expected, without).empty());
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const Plan plan = sample();
    const std::string_view listing(reinterpret_cast<const char*>(data), size);
    check(expected_of(plan, captures_a), listing);
    check(expected_of(plan, captures_b), listing);
    check(expected_guard(plan, refusals_a), listing);
    const auto refusals = refusals_in(listing);
    require(refusals == refusals_a || refusals == refusals_b);
    return 0;
}
