#pragma once

#include "netfilter/install.h"

#include <memory>

// The installers behind `Installer::open` and `adopt`, which choose one of them. Errors: of those.

namespace gw::netfilter {

Result<std::unique_ptr<Installer>> open_nft(const Settings& settings);
Result<std::unique_ptr<Installer>> adopt_nft(const Settings& settings, Handover handover);

Result<std::unique_ptr<Installer>> open_iptables(const Settings& settings);
Result<std::unique_ptr<Installer>> adopt_iptables(const Settings& settings, Handover handover);
/// Whether this is the state of rules of iptables.
bool is_of_iptables(const Handover& handover);

/// Takes away what another start with iptables left behind. Errors: `denied` when a gatewayd that runs owns it.
Result<> sweep_iptables(const Settings& settings);

} // namespace gw::netfilter
