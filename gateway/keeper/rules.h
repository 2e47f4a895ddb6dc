#pragma once

#include "gateway/config/config.h"
#include "gateway/link/order.h"
#include "netfilter/install.h"

#include <memory>
#include <string>
#include <vector>

namespace gw::keeper {

/// The rules in the kernel, as the keeper sees them: what the configuration in force asks for, put there whole or not
/// at all.
class Rules {
public:
    /// Makes the kernel hold what these listeners ask for; none of them intercepts: nothing. On error everything is as
    /// before. Errors: of `netfilter::Installer`.
    Result<> put(const config::Settings& settings, const std::vector<link::SocketName>& sockets);
    /// Nothing new is captured; connections under way go on. Errors: of `netfilter::Installer::install`.
    Result<> stop_capturing();
    /// Takes everything away again. What goes wrong is in the log.
    void remove();

    bool installed() const { return installer_ != nullptr; }
    /// What is in force; empty when nothing is installed.
    const netfilter::Plan& plan() const { return plan_; }
    /// What of it the kernel does not have, for a person; empty: all is there.
    std::string missing();

private:
    std::unique_ptr<netfilter::Installer> installer_;
    netfilter::Plan plan_;
};

} // namespace gw::keeper
