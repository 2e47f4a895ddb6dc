#include "netfilter/ipset.h"

#include "netfilter/program.h"

#include <chrono>
#include <unistd.h>

namespace gw::netfilter {
namespace {

using namespace std::chrono_literals;

constexpr auto longest_run = 5s;

/// Asking for sets where there are none would load the module.
bool kernel_has_sets() { return ::access("/sys/module/ip_set", F_OK) == 0; }

} // namespace

std::optional<Ipset> Ipset::find()
{
    auto file = program_file("ipset");
    if (file.empty()) return std::nullopt;
    return Ipset(std::move(file));
}

Result<std::vector<FoundSet>> Ipset::found(const Settings& settings) const
{
    if (!kernel_has_sets()) return std::vector<FoundSet>();
    const auto listing = output_of({file_, "list", "-terse"}, {}, longest_run);
    if (!listing) return listing.error();
    return sets_in(settings, *listing);
}

Result<> Ipset::restore(const std::string& text) const
{
    if (text.empty()) return {};
    const auto done = output_of({file_, "restore"}, text, longest_run);
    if (!done) return done.error();
    return {};
}

void Ipset::sweep(const Settings& settings)
{
    const auto ipset = find();
    if (!ipset) return;
    const auto there = ipset->found(settings);
    if (!there) return;
    for (const FoundSet& one : *there) static_cast<void>(ipset->restore(end_of_sets({}, {one})));
}

} // namespace gw::netfilter
