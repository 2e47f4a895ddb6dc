#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/result.h"
#include "netfilter/heartbeat.h"
#include "netfilter/plan.h"

#include <memory>
#include <string>
#include <vector>

namespace gw::netfilter {

/// What a successor needs to own the rules in place of this process. Descriptors go over a Unix socket (SCM_RIGHTS) or
/// through exec.
struct Handover {
    std::string state;                   ///< lines of text: `table NAME`, `route table NUMBER`
    std::vector<Descriptor> descriptors; ///< the owner's netlink socket, the heartbeat's socket
};

/// What was put back, for a person: "IPv4 policy rule from lan0".
using Repairs = std::vector<std::string>;

/// The only thing that changes the kernel. Owns the netlink socket our table belongs to: the table goes when this is
/// destroyed or the process dies. Policy rules and routes are taken away on destruction, and those of a process that
/// was killed are swept by `sweep` at the next start. New connections are captured only while beats come.
///
/// The guard is a table of its own, which stays: after the end of this process too, whatever a listener with
/// `when_down: reject` or `drop` would have captured is refused. It goes with a plan that has no such listener.
class Installer {
public:
    /// Errors: `denied` without CAP_NET_ADMIN; `system` when the kernel lacks what is needed: `what` says which.
    static Result<std::unique_ptr<Installer>> open(const Settings& settings);
    /// Goes on with the rules of another process, of which no packet notices anything. The first `install` exchanges
    /// them for those of its plan. Errors: as of `open`; `refused` when the handover is not of such rules.
    static Result<std::unique_ptr<Installer>> adopt(const Settings& settings, Handover handover);
    virtual ~Installer() = default;

    /// Removes policy rules and routes of ours (by table number, priority and protocol) that nobody owns any more. From
    /// then on no other gatewayd can do the same, until this is destroyed or has nothing to install.
    /// Errors: `denied` when another running gatewayd owns the table: `what` says so.
    virtual Result<> sweep() = 0;
    /// Only the guard of the plan, before there is anything to capture with: ports do not matter. Errors: as of
    /// `sweep`, `system`.
    virtual Result<> guard(const Plan& plan) = 0;
    /// The guard, policy rules and routes, then the table, then reads back and compares. On error everything is as
    /// before, but for the guard of a first plan, which stays. Every packet meets the old rules or the new ones, whole.
    /// Cheap when nothing differs from the plan in force. With one that lingers: connections under way go on, nothing
    /// new is captured. Does not beat.
    virtual Result<> install(const Plan& plan) = 0;
    /// Puts back what of the plan in force is missing in the kernel, and installs `plan`. Errors: as of `install`.
    virtual Result<Repairs> repair(const Plan& plan) = 0;
    /// Removal in reverse order; the guard stays. Errors are of the first step that failed; the rest is still tried.
    virtual Result<> remove() = 0;
    /// With the port of the heartbeat in it; empty when nothing is installed.
    virtual Plan in_force() const = 0;
    /// What of the plan in force is missing in the kernel now; empty: all is there.
    virtual Result<std::string> missing() = 0;
    /// What holds the rules, for a person: "nft", "iptables (nf_tables)", "iptables (legacy)".
    virtual std::string backend() const = 0;
    /// The rules in force, with the guard, as text of that kind.
    virtual std::string text() const = 0;
    /// Whether `Watch` (watch.h) hears of it when somebody changes our rules. Else they are to be looked at now and
    /// then.
    virtual bool is_watched() const = 0;

    /// A sign of life: new connections are captured until `heartbeat_lifetime` (rules.h) from now. Microseconds.
    /// Errors: `system` when it cannot arrive.
    virtual Result<> beat() = 0;
    /// What `beat` beats with, for another thread; of the plan in force.
    virtual std::vector<Heartbeat> heartbeats() const = 0;
    /// Nothing new is captured from now on, until the next beat; what is under way goes on. Errors: `system`.
    virtual Result<> still() = 0;

    /// For a successor, which may own the rules as well from then on. Errors: `refused` when nothing is installed.
    virtual Result<Handover> hand_over() = 0;
    /// The successor has them: forgets all, removes nothing.
    virtual void release() = 0;
};

} // namespace gw::netfilter
