#include "netfilter/backends.h"
#include "netfilter/conntrack_rules.h"
#include "netfilter/guard.h"
#include "netfilter/heartbeat.h"
#include "netfilter/iptables_owner.h"
#include "netfilter/nft_context.h"
#include "netfilter/nft_text.h"
#include "netfilter/plan_installer.h"
#include "netfilter/probe.h"
#include "netfilter/rules.h"

#include <cerrno>
#include <utility>

namespace gw::netfilter {
namespace {

std::string_view other_captures(std::string_view captures) { return captures == captures_a ? captures_b : captures_a; }

/// The chain of capture rules that packets are led into, of a listing of our table; empty: none.
std::string_view captures_in(std::string_view listing)
{
    for (const auto captures : {captures_a, captures_b})
        if (listing.find("jump " + std::string(captures) + ' ') != std::string_view::npos) return captures;
    return {};
}

std::string state_of(const Settings& settings)
{
    return "table " + settings.table + "\nroute table " + std::to_string(settings.route_table) + '\n';
}

Error lacking(const std::string& what)
{
    return {Fault::system, Side::gateway, "read back after installing, the kernel lacks: " + what};
}

Error owned_by_another(const Settings& settings)
{
    return {Fault::denied, Side::gateway,
            "another gatewayd (or process) owns table inet " + settings.table + ": stop it first"};
}

class NftInstaller final : public PlanInstaller {
public:
    NftInstaller(const Settings& settings, NftContext owner, NftContext reader, Policy policy, Heartbeat heartbeat)
        : PlanInstaller(settings, state_of(settings), std::move(policy)), owner_(std::move(owner)),
          reader_(std::move(reader)), heartbeat_(std::move(heartbeat))
    {}
    ~NftInstaller() override { static_cast<void>(remove()); }

    Result<> sweep() override;
    Result<> guard(const Plan& plan) override;
    Result<> install(const Plan& plan) override;
    Result<Repairs> repair(const Plan& plan) override;
    Result<std::string> missing() override;
    std::string backend() const override { return "nft"; }
    std::string text() const override { return in_force_ ? all_text(*in_force_) : std::string(); }
    bool is_watched() const override { return true; }
    Result<> beat() override;
    std::vector<Heartbeat> heartbeats() const override { return copies_of({&heartbeat_}); }
    Result<> still() override;

    /// Goes on with the rules that this socket owns.
    Result<> own(const Descriptor& socket);

private:
    Result<> take_out(const Plan& plan) override;
    std::vector<int> sockets() const override { return {owner_.socket(), heartbeat_.socket().number()}; }

    Result<> refuse_foreign_table();
    Result<> claim();
    void drop_claim();
    Result<> learn();
    bool keeps_table(const Plan& plan) const { return in_force_ && in_force_->settings.table == plan.settings.table; }
    bool is_in_force(const Plan& plan) const;
    Result<> exchange(const Plan& plan, std::string_view captures, const Plan& before);
    Result<> replace_table(const Plan& plan, std::string_view captures, bool is_there);
    void restore_table(const Plan& failed);
    Result<> install_table(const Plan& plan);
    Result<std::string> missing_in_table(const Plan& plan, std::string_view captures);

    NftContext owner_; // our table belongs to its socket; nothing but our transactions goes through it
    NftContext reader_;
    Guard guard_{reader_};
    Heartbeat heartbeat_;
    std::string_view captures_ = captures_a; // the chain of the capture rules in force
    bool beating_ = false;
    bool leftovers_of_iptables_ = false; // there may be some
    bool claimed_ = false;               // the table is ours, with nothing in it yet
};

/// A table of our name that exists before we made one: of another gatewayd that runs, or made by hand.
Result<> NftInstaller::refuse_foreign_table()
{
    if (in_force_) return {};
    const auto listing = reader_.list_table(settings_.table);
    if (!listing) return listing.error();
    if (listing->empty()) return {};
    if (listing->find("flags owner") != std::string::npos) return owned_by_another(settings_);
    return Error{Fault::refused, Side::gateway,
                 "table inet " + settings_.table + " exists and is nobody's: remove it with: nft delete table inet " +
                     settings_.table};
}

/// Of several that start in the same instant one gets the table, before any of them touches what has no owner: policy
/// rules, routes, the guard.
Result<> NftInstaller::claim()
{
    if (in_force_ || claimed_) return {};
    if (auto free = refuse_foreign_table(); !free) return free;
    const auto made = owner_.run("add table inet " + settings_.table + " { flags owner; }\n");
    if (!made && made.error().fault == Fault::denied) return owned_by_another(settings_);
    claimed_ = static_cast<bool>(made);
    return made;
}

void NftInstaller::drop_claim()
{
    if (in_force_ || !std::exchange(claimed_, false)) return;
    static_cast<void>(owner_.run("delete table inet " + settings_.table + '\n'));
}

Result<> NftInstaller::sweep()
{
    if (auto claimed = claim(); !claimed) return claimed;
    if (!in_force_ && settings_.table.size() <= max_chain_prefix) {
        if (const auto free = own_iptables(settings_); !free) return free.error();
        leftovers_of_iptables_ = true;
    }
    return policy_.sweep(settings_, in_force_ ? &*in_force_ : nullptr);
}

Result<> NftInstaller::guard(const Plan& plan)
{
    if (auto claimed = claim(); !claimed) return claimed;
    if (auto held = guard_.hold(plan); !held) return held.error();
    // Only now that this one stands: what is to be closed stays closed.
    if (std::exchange(leftovers_of_iptables_, false)) return sweep_iptables(settings_);
    return {};
}

/// Rules that are in force for others, so that every packet meets the old or the new ones, whole (nft_text.cpp). A step
/// that fails leaves the old ones in force, and nothing half made.
Result<> NftInstaller::exchange(const Plan& plan, std::string_view captures, const Plan& before)
{
    for (const std::string& step : {prepare_text(plan, captures), switch_text(plan, captures, before)}) {
        auto done = owner_.run(step);
        if (done) continue;
        static_cast<void>(owner_.run(drop_text(plan, captures)));
        return done;
    }
    static_cast<void>(owner_.run(drop_text(before, other_captures(captures)))); // reading back finds it if not
    return {};
}

/// A table that is new, has a new name, or has gone, comes in one transaction.
Result<> NftInstaller::replace_table(const Plan& plan, std::string_view captures, bool is_there)
{
    std::string old;
    if (in_force_ && !keeps_table(plan)) old = "delete table inet " + in_force_->settings.table + '\n';
    auto replaced = is_there ? exchange(plan, captures, *in_force_) : owner_.run(old + nft_text(plan));
    if (replaced && !is_there && beating_) return beat(); // a new table has a new set
    if (replaced) return replaced;
    Error error = replaced.error();
    if (error.fault == Fault::denied)
        error.what = "another gatewayd (or process) owns table inet " + plan.settings.table + " (" + error.what + ')';
    return error;
}

/// Back to what was in force before a table that did not read back as it was written.
void NftInstaller::restore_table(const Plan& failed)
{
    if (learned_) return; // what there was is not known well enough; the new one holds most of what it should
    if (keeps_table(failed)) {
        static_cast<void>(exchange(*in_force_, captures_, failed));
        return;
    }
    std::string text = "delete table inet " + failed.settings.table + '\n';
    if (in_force_) text += nft_text(*in_force_);
    if (owner_.run(text)) captures_ = captures_a;
    claimed_ = false;
}

Result<std::string> NftInstaller::missing_in_table(const Plan& plan, std::string_view captures)
{
    const auto listing = reader_.list_table(plan.settings.table);
    if (!listing) return listing.error();
    if (auto lacks = difference(plan, captures, *listing); !lacks.empty()) return lacks;
    if (listing->find("flags owner") == std::string::npos) return "owner of table inet " + plan.settings.table;
    return std::string();
}

Result<std::string> NftInstaller::missing()
{
    if (!in_force_ || learned_) return std::string();
    if (auto lacks = missing_in_table(*in_force_, captures_); !lacks || !lacks->empty()) return lacks;
    const auto policy = policy_.missing(*in_force_);
    if (!policy) return policy.error();
    if (!policy->empty()) return policy->front();
    return guard_.missing(*in_force_);
}

bool NftInstaller::is_in_force(const Plan& plan) const
{
    return in_force_ && !learned_ && nft_text(plan) == nft_text(*in_force_) && ip_text(plan) == ip_text(*in_force_);
}

Result<> NftInstaller::install_table(const Plan& plan)
{
    bool is_there = keeps_table(plan);
    if (is_there) {
        const auto listing = reader_.list_table(plan.settings.table);
        if (!listing) return listing.error();
        is_there = !listing->empty();
        // Another one where a successor changed the rules and then died. It must not be written to while it is in
        // force.
        if (const auto in_force = captures_in(*listing); !in_force.empty()) captures_ = in_force;
    }
    const auto captures = is_there ? other_captures(captures_) : captures_a;
    if (auto replaced = replace_table(plan, captures, is_there); !replaced) return replaced;
    const auto lacks = missing_in_table(plan, captures);
    if (!lacks || !lacks->empty()) {
        restore_table(plan);
        if (!lacks) return lacks.error();
        return lacking(*lacks);
    }
    captures_ = captures;
    return {};
}

/// The guard comes before everything: from then on nothing that is to be closed passes, whatever the rest comes to.
Result<> NftInstaller::install(const Plan& wanted)
{
    Plan plan = wanted;
    plan.heartbeat_port = heartbeat_.port();
    if (auto fits = check(plan); !fits) return fits;
    if (auto guarded = guard(plan); !guarded) return drop_claim(), guarded;
    if (is_nothing(plan)) return drop_claim(), remove();
    if (in_force_) carry_over(plan, *in_force_);
    const auto fail = [this](Result<> error) {
        if (in_force_ && !learned_) static_cast<void>(guard_.hold(*in_force_));
        drop_claim();
        return error;
    };
    const auto added = policy_.add(plan);
    if (!added) return fail(added.error());
    if (const auto lacks = policy_.missing(plan); !lacks || !lacks->empty()) {
        policy_.undo(plan, *added);
        return fail(lacks ? lacking(lacks->front()) : lacks.error());
    }
    if (is_in_force(plan)) {
        const auto lacks = missing_in_table(plan, captures_);
        if (!lacks) return lacks.error();
        if (lacks->empty()) return {};
    }
    if (auto installed = install_table(plan); !installed) return policy_.undo(plan, *added), fail(installed);
    if (in_force_) policy_.drop_not_in(plan, *in_force_);
    in_force_ = plan;
    learned_ = false;
    return {};
}

Result<Repairs> NftInstaller::repair(const Plan& plan)
{
    Repairs repairs;
    if (in_force_ && !learned_) {
        auto policy = policy_.missing(*in_force_);
        if (!policy) return policy.error();
        repairs = std::move(*policy);
        const auto table = missing_in_table(*in_force_, captures_);
        if (!table) return table.error();
        if (!table->empty()) repairs.push_back(*table);
        const auto guarded = guard_.missing(*in_force_);
        if (!guarded) return guarded.error();
        if (!guarded->empty()) repairs.push_back(*guarded + " of the guard");
    }
    if (auto installed = install(plan); !installed) return installed.error();
    return repairs;
}

Result<> NftInstaller::beat()
{
    beating_ = true;
    return heartbeat_.beat();
}

Result<> NftInstaller::still()
{
    beating_ = false;
    if (!in_force_) return {};
    return owner_.run("flush set inet " + in_force_->settings.table + ' ' + std::string(alive_set) + '\n');
}

Result<> NftInstaller::own(const Descriptor& socket)
{
    if (auto replaced = owner_.use_socket(socket); !replaced) return replaced;
    return learn();
}

/// Takes what the kernel has for the plan in force.
Result<> NftInstaller::learn()
{
    const auto refused = [this](const std::string& why) {
        return Error{Fault::refused, Side::gateway, "table inet " + settings_.table + " cannot be taken over: " + why};
    };
    const auto listing = reader_.list_table(settings_.table);
    if (!listing) return listing.error();
    if (listing->find("flags owner") == std::string::npos) return refused("it is not there");
    const auto captures = captures_in(*listing);
    if (captures.empty()) return refused("it has no capture rules");
    // A change that changes nothing: the kernel takes it from the owner only.
    if (auto owned = owner_.run("add table inet " + settings_.table + " { flags owner; }\n"); !owned)
        return refused("the socket handed over does not own it");
    auto rules = policy_.in_kernel(settings_);
    if (!rules) return rules.error();
    Plan plan;
    plan.settings = settings_;
    plan.policy_rules = std::move(*rules);
    plan.heartbeat_port = heartbeat_.port();
    learn_conntrack(plan, *listing);
    plan.datagrams = listing->find("\"divert answers\"") != std::string::npos;
    in_force_ = std::move(plan);
    captures_ = captures;
    learned_ = true;
    return {};
}

Result<> NftInstaller::take_out(const Plan& plan)
{
    claimed_ = false;
    // `add` first: the table may be gone already, and that is what was wanted.
    const std::string table = "inet " + plan.settings.table;
    return owner_.run("add table " + table + " { flags owner; }\ndelete table " + table + '\n');
}

Result<std::unique_ptr<NftInstaller>> open_installer(const Settings& settings, Result<Heartbeat> heartbeat)
{
    if (!may_change_the_network())
        return Error{Fault::denied, Side::gateway,
                     "changing kernel rules needs CAP_NET_ADMIN: run as root, or use systemctl start gateway"};
    if (!heartbeat) return heartbeat.error();
    auto owner = NftContext::open();
    if (!owner) return owner.error();
    auto reader = NftContext::open();
    if (!reader) return reader.error();
    auto policy = Policy::open();
    if (!policy) return policy.error();
    if (auto able = probe(*reader); !able) return able.error();
    return std::make_unique<NftInstaller>(settings, std::move(*owner), std::move(*reader), std::move(*policy),
                                          std::move(*heartbeat));
}

} // namespace

Result<std::unique_ptr<Installer>> open_nft(const Settings& settings)
{
    auto opened = open_installer(settings, Heartbeat::open());
    if (!opened) return opened.error();
    return std::unique_ptr<Installer>(std::move(*opened));
}

Result<std::unique_ptr<Installer>> adopt_nft(const Settings& settings, Handover handover)
{
    if (auto fits = check_handover(handover, state_of(settings), 2, 2); !fits) return fits.error();
    auto opened = open_installer(settings, Heartbeat::adopt(std::move(handover.descriptors[1])));
    if (!opened) return opened.error();
    if (auto owned = (*opened)->own(handover.descriptors[0]); !owned) return owned.error();
    return std::unique_ptr<Installer>(std::move(*opened));
}

} // namespace gw::netfilter
