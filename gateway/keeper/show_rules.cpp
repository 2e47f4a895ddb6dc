#include "gateway/keeper/keeper.h"
#include "gateway/keeper/load.h"
#include "gateway/keeper/sockets.h"
#include "netfilter/ipset.h"
#include "netfilter/local_addresses.h"
#include "netfilter/plan.h"

#include <cstdio>

namespace gw::keeper {

namespace {

constexpr std::uint16_t first_shown_port = 50'000;

} // namespace

int show_rules(const Options& options)
{
    auto loading = load(options.config_file);
    if (const auto* rejected = std::get_if<Rejection>(&loading)) {
        std::fprintf(stderr, "%s\n", rejected->text.c_str());
        return 1;
    }
    const auto& settings = std::get<Loaded>(loading).settings;
    auto present = netfilter::present_interfaces();
    // The kernel chooses the ports when the sockets are opened; these stand for them.
    auto captures = captures_of(settings.listeners, {});
    std::uint16_t port = first_shown_port;
    for (auto& capture : captures) {
        capture.port_v4 = port++;
        capture.port_v6 = port++;
    }
    if (!captures.empty())
        std::fprintf(stderr, "The ports of tproxy, from %u on, are examples: real ones are chosen at the start.\n",
                     static_cast<unsigned>(first_shown_port));
    auto plan = netfilter::make_plan(settings.netfilter, std::move(captures),
                                     present ? std::move(*present) : std::vector<std::string>{});
    plan.heartbeat_port = plan.heartbeat_port_v6 = port;
    plan.network_sets = netfilter::Ipset::find().has_value();
    std::printf("%s\n%s", netfilter::text_of_backend(plan).c_str(), netfilter::ip_text(plan).c_str());
    return 0;
}

} // namespace gw::keeper
