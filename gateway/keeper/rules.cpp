#include "gateway/keeper/rules.h"

#include "gateway/base/log.h"
#include "gateway/keeper/sockets.h"
#include "netfilter/local_addresses.h"

namespace gw::keeper {

Result<> Rules::put(const config::Settings& settings, const std::vector<link::SocketName>& sockets)
{
    auto captures = captures_of(settings.listeners, sockets);
    if (captures.empty()) {
        remove();
        return {};
    }
    if (installer_ == nullptr) {
        auto opened = netfilter::Installer::open(settings.netfilter);
        if (!opened) return opened.error();
        const auto swept = (*opened)->sweep();
        if (!swept) return swept.error();
        installer_ = std::move(*opened);
    }
    auto present = netfilter::present_interfaces();
    if (!present) return present.error();
    auto plan = netfilter::make_plan(settings.netfilter, std::move(captures), std::move(*present));
    const auto installed = installer_->install(plan);
    if (!installed) return installed.error();
    plan_ = std::move(plan);
    return {};
}

Result<> Rules::stop_capturing()
{
    if (installer_ == nullptr) return {};
    auto plan = plan_;
    plan.captures.clear();
    return installer_->install(plan);
}

void Rules::remove()
{
    if (installer_ == nullptr) return;
    const auto removed = installer_->remove();
    if (!removed) log::warning("removing the rules: " + describe(removed.error()));
    installer_.reset();
    plan_ = {};
}

std::string Rules::missing()
{
    if (installer_ == nullptr) return {};
    const auto missing = installer_->missing();
    return missing ? *missing : describe(missing.error());
}

} // namespace gw::keeper
