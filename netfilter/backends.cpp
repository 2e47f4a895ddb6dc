#include "netfilter/backends.h"

namespace gw::netfilter {

Result<std::unique_ptr<Installer>> Installer::open(const Settings& settings)
{
    if (settings.backend == Backend::iptables) return open_iptables(settings);
    auto nft = open_nft(settings);
    if (nft || settings.backend == Backend::nft || nft.error().fault != Fault::system) return nft;
    auto iptables = open_iptables(settings);
    if (iptables) return iptables;
    Error error = iptables.error();
    error.what = "neither nft nor iptables can do it: " + nft.error().what + "; " + error.what;
    return error;
}

Result<std::unique_ptr<Installer>> Installer::adopt(const Settings& settings, Handover handover)
{
    if (is_of_iptables(handover)) return adopt_iptables(settings, std::move(handover));
    return adopt_nft(settings, std::move(handover));
}

} // namespace gw::netfilter
