#pragma once

#include "gateway/base/result.h"
#include "netfilter/plan.h"

#include <memory>

namespace gw::netfilter {

/// The only thing that changes the kernel. Owns the netlink socket our table belongs to: the table goes when this is
/// destroyed or the process dies. Policy rules and routes are taken away on destruction, and those of a process that
/// was killed are swept by `sweep` at the next start.
class Installer {
public:
    /// Errors: `denied` without CAP_NET_ADMIN; `system` when the kernel lacks what is needed: `what` says which.
    static Result<std::unique_ptr<Installer>> open(const Settings& settings);
    virtual ~Installer() = default;

    /// Removes policy rules and routes of ours (by table number, priority and protocol) that nobody owns any more.
    /// Errors: `denied` when another running gatewayd owns the table: `what` says so.
    virtual Result<> sweep() = 0;
    /// Policy rules and routes first, then the table, then reads back and compares. On error everything is as before.
    /// Every packet meets the old rules or the new ones, whole. Cheap when nothing differs from the plan in force.
    /// Without captures but with policy rules: connections under way go on, nothing new is captured.
    virtual Result<> install(const Plan& plan) = 0;
    /// Removal in reverse order. Errors are of the first step that failed; the rest is still tried.
    virtual Result<> remove() = 0;
    /// What of the plan in force is missing in the kernel now; empty: all is there.
    virtual Result<std::string> missing() = 0;
};

} // namespace gw::netfilter
