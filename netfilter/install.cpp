#include "netfilter/install.h"

#include "netfilter/nft_context.h"
#include "netfilter/nft_text.h"
#include "netfilter/policy_route.h"
#include "netfilter/probe.h"
#include "netfilter/rules.h"

#include <algorithm>
#include <optional>

namespace gw::netfilter {
namespace {

Result<> check(const Plan& plan)
{
    const auto refused = [](std::string what) { return Error{Fault::refused, Side::gateway, std::move(what)}; };
    for (const Capture& capture : plan.captures) {
        if (capture.intercept.mode != Mode::tproxy || capture.intercept.transport != Transport::tcp)
            return refused("listener " + capture.listener + ": only tproxy for TCP can be installed");
        for (const std::string& name : capture.intercept.interfaces)
            if (!is_interface_name(name))
                return refused("listener " + capture.listener + ": not an interface: " + name);
    }
    for (const PolicyRule& rule : plan.policy_rules)
        if (!is_interface_name(rule.interface)) return refused("not an interface: " + rule.interface);
    return {};
}

bool has_family(const Plan& plan, bool v6)
{
    return std::any_of(plan.policy_rules.begin(), plan.policy_rules.end(),
                       [v6](const PolicyRule& rule) { return rule.v6 == v6; });
}

FoundRule rule_in_kernel(const Plan& plan, const PolicyRule& rule)
{
    return {rule, plan.settings.captured_mark, plan.settings.mark_mask};
}

bool same_numbers(const Settings& a, const Settings& b)
{
    return a.mark_mask == b.mark_mask && a.captured_mark == b.captured_mark && a.route_table == b.route_table &&
           a.rule_priority == b.rule_priority && a.route_protocol == b.route_protocol;
}

std::string_view other_captures(std::string_view captures) { return captures == captures_a ? captures_b : captures_a; }

class KernelInstaller final : public Installer {
public:
    KernelInstaller(const Settings& settings, NftContext owner, NftContext reader, PolicyRoutes routes)
        : settings_(settings), owner_(std::move(owner)), reader_(std::move(reader)), routes_(std::move(routes))
    {}
    ~KernelInstaller() override { static_cast<void>(remove()); }

    Result<> sweep() override;
    Result<> install(const Plan& plan) override;
    Result<> remove() override;
    Result<std::string> missing() override { return in_force_ ? missing_of(*in_force_, captures_) : std::string(); }

private:
    struct Added {
        std::vector<PolicyRule> rules;
        bool route_v4 = false;
        bool route_v6 = false;
    };

    Result<> refuse_foreign_table();
    Result<Added> add_policy(const Plan& plan);
    void undo(const Plan& plan, const Added& added);
    bool keeps_table(const Plan& plan) const { return in_force_ && in_force_->settings.table == plan.settings.table; }
    Result<> exchange(const Plan& plan, std::string_view captures);
    Result<> replace_table(const Plan& plan, std::string_view captures);
    void restore_table(const Plan& failed);
    void drop_policy_not_in(const Plan& plan);
    Result<std::string> missing_of(const Plan& plan, std::string_view captures);
    Result<std::string> missing_policy(const Plan& plan);

    Settings settings_;
    NftContext owner_; // our table belongs to its socket; nothing but our transactions goes through it
    NftContext reader_;
    PolicyRoutes routes_;
    std::optional<Plan> in_force_;
    std::string_view captures_ = captures_a; // the chain of the capture rules in force
};

/// A table of our name that exists before we made one: of another gatewayd that runs, or made by hand.
Result<> KernelInstaller::refuse_foreign_table()
{
    if (in_force_) return {};
    const auto listing = reader_.list_table(settings_.table);
    if (!listing) return listing.error();
    if (listing->empty()) return {};
    if (listing->find("flags owner") != std::string::npos)
        return Error{Fault::denied, Side::gateway,
                     "another gatewayd (or process) owns table inet " + settings_.table + ": stop it first"};
    return Error{Fault::refused, Side::gateway,
                 "table inet " + settings_.table + " exists and is nobody's: remove it with: nft delete table inet " +
                     settings_.table};
}

Result<> KernelInstaller::sweep()
{
    if (auto free = refuse_foreign_table(); !free) return free;
    const auto found = routes_.rules(settings_);
    if (!found) return found.error();
    for (const FoundRule& rule : *found) {
        const bool wanted =
            in_force_ && rule == rule_in_kernel(*in_force_, rule.rule) &&
            std::binary_search(in_force_->policy_rules.begin(), in_force_->policy_rules.end(), rule.rule);
        if (wanted) continue;
        if (auto deleted = routes_.delete_rule(settings_, rule); !deleted) return deleted;
    }
    for (const bool v6 : {false, true}) {
        if (in_force_ && has_family(*in_force_, v6)) continue;
        if (auto deleted = routes_.delete_route(settings_, v6); !deleted) return deleted;
    }
    return {};
}

/// Routes first: a rule that leads to an empty table is passed over, so no packet is harmed in between.
Result<KernelInstaller::Added> KernelInstaller::add_policy(const Plan& plan)
{
    Added added;
    if (const auto lacks = missing_policy(plan); lacks && lacks->empty()) return added;
    for (const bool v6 : {false, true}) {
        if (!has_family(plan, v6)) continue;
        const auto is_new = routes_.add_route(plan.settings, v6);
        if (!is_new) return undo(plan, added), is_new.error();
        (v6 ? added.route_v6 : added.route_v4) = *is_new;
    }
    for (const PolicyRule& rule : plan.policy_rules) {
        const auto is_new = routes_.add_rule(plan.settings, rule);
        if (!is_new) return undo(plan, added), is_new.error();
        if (*is_new) added.rules.push_back(rule);
    }
    return added;
}

void KernelInstaller::undo(const Plan& plan, const Added& added)
{
    for (const PolicyRule& rule : added.rules)
        static_cast<void>(routes_.delete_rule(plan.settings, rule_in_kernel(plan, rule)));
    if (added.route_v4) static_cast<void>(routes_.delete_route(plan.settings, false));
    if (added.route_v6) static_cast<void>(routes_.delete_route(plan.settings, true));
}

/// Rules that are in force for others, so that every packet meets the old or the new ones, whole (nft_text.cpp). A step
/// that fails leaves the old ones in force, and nothing half made.
Result<> KernelInstaller::exchange(const Plan& plan, std::string_view captures)
{
    for (const std::string& step : {prepare_text(plan, captures), switch_text(plan, captures)}) {
        auto done = owner_.run(step);
        if (done) continue;
        static_cast<void>(owner_.run(drop_text(plan.settings, captures)));
        return done;
    }
    static_cast<void>(owner_.run(drop_text(plan.settings, other_captures(captures)))); // reading back finds it if not
    return {};
}

/// A table that is new, or has a new name, comes in one transaction.
Result<> KernelInstaller::replace_table(const Plan& plan, std::string_view captures)
{
    const std::string old = in_force_ ? "delete table inet " + in_force_->settings.table + '\n' : std::string();
    auto replaced = keeps_table(plan) ? exchange(plan, captures) : owner_.run(old + nft_text(plan));
    if (replaced) return replaced;
    Error error = replaced.error();
    if (error.fault == Fault::denied)
        error.what = "another gatewayd (or process) owns table inet " + plan.settings.table + " (" + error.what + ')';
    return error;
}

/// Back to what was in force before a table that did not read back as it was written.
void KernelInstaller::restore_table(const Plan& failed)
{
    if (keeps_table(failed)) {
        static_cast<void>(exchange(*in_force_, captures_));
        return;
    }
    std::string text = "delete table inet " + failed.settings.table + '\n';
    if (in_force_) text += nft_text(*in_force_);
    if (owner_.run(text)) captures_ = captures_a;
}

void KernelInstaller::drop_policy_not_in(const Plan& plan)
{
    const Plan& old = *in_force_;
    const bool same = same_numbers(old.settings, plan.settings);
    for (const PolicyRule& rule : old.policy_rules)
        if (!same || !std::binary_search(plan.policy_rules.begin(), plan.policy_rules.end(), rule))
            static_cast<void>(routes_.delete_rule(old.settings, rule_in_kernel(old, rule)));
    for (const bool v6 : {false, true})
        if (has_family(old, v6) && !(old.settings.route_table == plan.settings.route_table && has_family(plan, v6)))
            static_cast<void>(routes_.delete_route(old.settings, v6));
}

Result<std::string> KernelInstaller::missing_of(const Plan& plan, std::string_view captures)
{
    const auto listing = reader_.list_table(plan.settings.table);
    if (!listing) return listing.error();
    if (auto lacks = difference(plan, captures, *listing); !lacks.empty()) return lacks;
    if (listing->find("flags owner") == std::string::npos) return "owner of table inet " + plan.settings.table;
    return missing_policy(plan);
}

Result<std::string> KernelInstaller::missing_policy(const Plan& plan)
{
    const auto found = routes_.rules(plan.settings);
    if (!found) return found.error();
    for (const PolicyRule& rule : plan.policy_rules)
        if (std::find(found->begin(), found->end(), rule_in_kernel(plan, rule)) == found->end())
            return std::string(rule.v6 ? "IPv6" : "IPv4") + " policy rule from " + rule.interface;
    for (const bool v6 : {false, true}) {
        if (!has_family(plan, v6)) continue;
        const auto there = routes_.has_route(plan.settings, v6);
        if (!there) return there.error();
        if (!*there) return std::string(v6 ? "IPv6" : "IPv4") + " local route";
    }
    return std::string();
}

Result<> KernelInstaller::install(const Plan& plan)
{
    if (auto fits = check(plan); !fits) return fits;
    if (plan.captures.empty() && plan.policy_rules.empty()) return remove();
    const bool same = in_force_ && nft_text(plan) == nft_text(*in_force_) && ip_text(plan) == ip_text(*in_force_);
    if (same) {
        const auto lacks = missing_of(plan, captures_);
        if (!lacks) return lacks.error();
        if (lacks->empty()) return {};
    }
    if (auto free = refuse_foreign_table(); !free) return free;
    const auto added = add_policy(plan);
    if (!added) return added.error();
    const auto captures = keeps_table(plan) ? other_captures(captures_) : captures_a;
    if (auto replaced = replace_table(plan, captures); !replaced) return undo(plan, *added), replaced;
    const auto lacks = missing_of(plan, captures);
    if (!lacks || !lacks->empty()) {
        restore_table(plan);
        undo(plan, *added);
        if (!lacks) return lacks.error();
        return Error{Fault::system, Side::gateway, "read back after installing, the kernel lacks: " + *lacks};
    }
    if (in_force_) drop_policy_not_in(plan);
    in_force_ = plan;
    captures_ = captures;
    return {};
}

Result<> KernelInstaller::remove()
{
    if (!in_force_) return {};
    const Plan plan = *std::exchange(in_force_, std::nullopt);
    // `add` first: the table may be gone already, and that is what was wanted.
    const std::string table = "inet " + plan.settings.table;
    Result<> first = owner_.run("add table " + table + " { flags owner; }\ndelete table " + table + '\n');
    const auto note = [&first](const Result<>& step) {
        if (first && !step) first = step;
    };
    for (auto rule = plan.policy_rules.rbegin(); rule != plan.policy_rules.rend(); ++rule)
        note(routes_.delete_rule(plan.settings, rule_in_kernel(plan, *rule)));
    for (const bool v6 : {true, false})
        if (has_family(plan, v6)) note(routes_.delete_route(plan.settings, v6));
    return first;
}

} // namespace

Result<std::unique_ptr<Installer>> Installer::open(const Settings& settings)
{
    if (!may_change_the_network())
        return Error{Fault::denied, Side::gateway,
                     "changing kernel rules needs CAP_NET_ADMIN: run as root, or use systemctl start gateway"};
    auto owner = NftContext::open();
    if (!owner) return owner.error();
    auto reader = NftContext::open();
    if (!reader) return reader.error();
    auto routes = PolicyRoutes::open();
    if (!routes) return routes.error();
    if (auto able = probe(*reader); !able) return able.error();
    return std::unique_ptr<Installer>(
        std::make_unique<KernelInstaller>(settings, std::move(*owner), std::move(*reader), std::move(*routes)));
}

} // namespace gw::netfilter
