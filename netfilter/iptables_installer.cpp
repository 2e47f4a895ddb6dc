#include "gateway/base/log.h"
#include "netfilter/backends.h"
#include "netfilter/guard_text.h"
#include "netfilter/heartbeat.h"
#include "netfilter/iptables_owner.h"
#include "netfilter/iptables_programs.h"
#include "netfilter/nft_context.h"
#include "netfilter/plan_installer.h"
#include "netfilter/rules.h"

#include <algorithm>
#include <set>

// What the kernel does for a table of nft that has an owner, done by hand:
//
//   owner       A socket with a name (iptables_owner.h). It goes with the process; the rules do not.
//   gone        With the end of the last beat the rules that capture are dead. The next start empties and fills them,
//               and without listeners takes them away.
//   guard       Other chains of the same tables, which stay (iptables_guard.cpp).

namespace gw::netfilter {
namespace {

constexpr std::string_view state_word = "iptables ";
constexpr std::size_t many_networks = 100; // one rule each, that is worth a word

std::string state_of(const Settings& settings)
{
    return std::string(state_word) + settings.table + "\nroute table " + std::to_string(settings.route_table) + '\n';
}

const char* family_name(bool v6) { return v6 ? "IPv6 " : "IPv4 "; }

class IptablesInstaller final : public PlanInstaller {
public:
    IptablesInstaller(const Settings& settings, IptablesPrograms programs, Policy policy, Heartbeat beat,
                      std::optional<Heartbeat> beat_v6)
        : PlanInstaller(settings, state_of(settings), std::move(policy)), programs_(std::move(programs)),
          beat_(std::move(beat)), beat_v6_(std::move(beat_v6))
    {}
    ~IptablesInstaller() override { static_cast<void>(remove()); }

    Result<> sweep() override;
    Result<> guard(const Plan& plan) override;
    Result<> install(const Plan& plan) override;
    Result<Repairs> repair(const Plan& plan) override;
    Result<std::string> missing() override;
    std::string backend() const override { return programs_.name(); }
    std::string text() const override { return in_force_ ? iptables_text(*in_force_) : std::string(); }
    bool is_watched() const override { return false; }
    Result<> beat() override;
    std::vector<Heartbeat> heartbeats() const override
    {
        return copies_of({&beat_, beats_v6() ? &*beat_v6_ : nullptr});
    }
    Result<> still() override;

    /// Goes on with the rules that are there.
    Result<> learn(Descriptor owner);

private:
    Result<> take_out(const Plan&) override { return put_both(); } // without a plan in force only the guard is wanted
    std::vector<int> sockets() const override;
    Result<> own();
    void look_for_sets(const Plan& plan);
    Result<std::vector<FoundSet>> found_sets() const;
    void end_leftovers();
    Result<> refuse_table_of_nft() const;
    void end_guard_of_nft() const;
    Plan completed(Plan plan) const;
    Result<> check_families(const Plan& plan) const;
    bool beats_v6() const { return in_force_ && beat_v6_ && has_family(*in_force_, true); }
    IptablesRules wanted(bool v6) const;
    Result<FoundIptables> found(bool v6, const IptablesRules& rules);
    Result<> put(bool v6);
    Result<> put_both();
    Result<std::string> missing_in(bool v6);

    IptablesPrograms programs_;
    Heartbeat beat_;
    std::optional<Heartbeat> beat_v6_; // none: the host has no IPv6
    Descriptor owner_;
    Plan guard_; // whose refusals are wanted
    std::set<std::string> tables_{"filter", "mangle"};
    std::optional<Ipset> ipset_; // none: not needed so far, or not to be had
    bool looked_for_sets_ = false;
    bool said_slow_ = false;
    std::string without_sets_; // why there are none
    bool others_swept_ = false;
};

Result<> IptablesInstaller::own()
{
    if (owner_.is_open()) return {};
    auto owner = own_iptables(settings_);
    if (!owner) return owner.error();
    owner_ = std::move(*owner);
    return {};
}

/// The first time that a plan has a long list of networks.
void IptablesInstaller::look_for_sets(const Plan& plan)
{
    const auto longest = longest_list(plan);
    if (longest < fewest_in_a_set) return;
    if (!std::exchange(looked_for_sets_, true)) {
        ipset_ = Ipset::find();
        const auto tried = ipset_ ? programs_.try_sets(settings_, *ipset_) : Result<>{};
        if (!ipset_) without_sets_ = "there is no program ipset; install the package ipset and restart";
        if (!tried) without_sets_ = tried.error().what;
        if (!tried) ipset_.reset();
    }
    if (ipset_ || longest <= many_networks || std::exchange(said_slow_, true)) return;
    log::warning("each new connection is compared with up to " + std::to_string(longest) +
                 " networks, one after the other: " + without_sets_);
}

/// A table of nft's that is somebody's.
Result<> IptablesInstaller::refuse_table_of_nft() const
{
    auto nft = NftContext::open();
    if (!nft) return {};
    const auto table = nft->list_table(settings_.table);
    if (table && table->find("flags owner") != std::string::npos)
        return Error{Fault::denied, Side::gateway,
                     "another gatewayd (or process) owns table inet " + settings_.table + ": stop it first"};
    return {};
}

/// That a start with the other backend left.
void IptablesInstaller::end_guard_of_nft() const
{
    auto nft = NftContext::open();
    if (!nft) return;
    const auto guard = nft->list_table(guard_table(settings_));
    if (guard && !guard->empty()) static_cast<void>(nft->run("delete table inet " + guard_table(settings_) + '\n'));
}

Result<> IptablesInstaller::sweep()
{
    if (auto owned = own(); !owned) return owned;
    if (auto free = in_force_ ? Result<>{} : refuse_table_of_nft(); !free) return free;
    return policy_.sweep(settings_, in_force_ ? &*in_force_ : nullptr);
}

IptablesRules IptablesInstaller::wanted(bool v6) const
{
    return joined(in_force_ ? iptables_rules(*in_force_, v6) : IptablesRules{}, iptables_guard(guard_, v6));
}

/// Of what these rules are to replace.
Result<FoundIptables> IptablesInstaller::found(bool v6, const IptablesRules& rules)
{
    for (const auto& chain : rules.chains) tables_.insert(chain.table);
    return programs_.found(v6, settings_, tables_);
}

Result<std::vector<FoundSet>> IptablesInstaller::found_sets() const
{
    if (!ipset_) return std::vector<FoundSet>();
    return ipset_->found(settings_);
}

/// What no rule of ours needs any more: the guard of the other backend, what was put in with another variant before the
/// host changed what it calls iptables, and sets. Only when the new rules stand: what is to be closed stays closed.
void IptablesInstaller::end_leftovers()
{
    const bool first = !std::exchange(others_swept_, true);
    if (first) {
        programs_.sweep_others(settings_);
        end_guard_of_nft();
    }
    auto ipset = first ? Ipset::find() : ipset_;
    const auto there = ipset ? ipset->found(settings_) : std::vector<FoundSet>();
    if (!there) return;
    auto sets = wanted(false).sets;
    for (NetworkSet& set : wanted(true).sets) sets.push_back(std::move(set));
    for (const FoundSet& one : *there) static_cast<void>(ipset->restore(end_of_sets(sets, {one})));
}

/// Where a family has no programs, or its kernel no tables, nothing can be there, and nothing need be.
Result<> IptablesInstaller::put(bool v6)
{
    const IptablesRules rules = wanted(v6);
    const bool is_needed = !rules.chains.empty();
    const auto before = found(v6, rules);
    if (!before && is_needed) return before.error();
    if (!before) return {};
    const auto sets = found_sets();
    if (!sets) return sets.error();
    const auto set_changes = set_text(rules.sets, *sets);
    if (difference(rules, *before).empty() && set_changes.empty()) return {};
    if (!set_changes.empty())
        if (auto made = ipset_->restore(set_changes); !made) return made;
    if (auto done = programs_.restore(v6, restore_text(rules, *before)); !done) return done;
    const auto lacks = missing_in(v6);
    if (!lacks) return lacks.error();
    if (lacks->empty()) return {};
    return Error{Fault::system, Side::gateway, "read back after installing, the kernel lacks: " + *lacks};
}

Result<> IptablesInstaller::put_both()
{
    const auto v4 = put(false);
    const auto v6 = put(true);
    if (v4 && v6) end_leftovers();
    return v4 ? v6 : v4;
}

Result<std::string> IptablesInstaller::missing_in(bool v6)
{
    const IptablesRules rules = wanted(v6);
    const auto there = found(v6, rules);
    if (!there && rules.chains.empty()) return std::string();
    if (!there) return there.error();
    auto lacks = difference(rules, *there);
    const auto sets = lacks.empty() ? found_sets() : std::vector<FoundSet>();
    if (!sets) return sets.error();
    if (lacks.empty()) lacks = difference(rules.sets, *sets);
    return lacks.empty() ? lacks : family_name(v6) + lacks;
}

Result<> IptablesInstaller::guard(const Plan& plan)
{
    if (auto owned = own(); !owned) return owned;
    if (auto fits = check_for_iptables(plan); !fits) return fits;
    look_for_sets(plan);
    const Plan before = std::exchange(guard_, plan);
    guard_.network_sets = ipset_.has_value();
    auto done = put_both();
    if (done) return done;
    guard_ = before;
    static_cast<void>(put_both());
    return done;
}

Result<> IptablesInstaller::check_families(const Plan& plan) const
{
    if (auto fits = check_for_iptables(plan); !fits) return fits;
    if (!has_family(plan, true)) return {};
    if (!programs_.has(true))
        return Error{Fault::system, Side::gateway,
                     "intercept.to has IPv6 networks, and there is no ip6tables-restore: install the package iptables"};
    if (!beat_v6_)
        return Error{Fault::system, Side::gateway,
                     "intercept.to has IPv6 networks, and the interface lo has no ::1: enable IPv6 there "
                     "(net.ipv6.conf.lo.disable_ipv6=0)"};
    return {};
}

/// With what only this object knows.
Plan IptablesInstaller::completed(Plan plan) const
{
    plan.heartbeat_port = beat_.port();
    plan.heartbeat_port_v6 = beat_v6_ ? beat_v6_->port() : std::uint16_t{0};
    leave_out(plan, can_name_for_iptables);
    plan.network_sets = ipset_.has_value();
    if (in_force_ && !is_nothing(plan)) carry_over(plan, *in_force_);
    return plan;
}

/// The guard of the plan goes in with it, in the same transactions.
Result<> IptablesInstaller::install(const Plan& asked)
{
    if (auto owned = own(); !owned) return owned;
    if (auto fits = check_families(asked); !fits) return fits;
    look_for_sets(asked);
    const Plan plan = completed(asked);
    if (is_nothing(plan)) {
        auto guarded = guard(plan);
        auto removed = remove();
        return guarded ? removed : guarded;
    }
    const auto added = policy_.add(plan);
    if (!added) return added.error();
    const auto before = std::exchange(in_force_, plan);
    const Plan guard_before = std::exchange(guard_, plan);
    if (auto done = put_both(); !done) {
        in_force_ = before;
        if (before) guard_ = guard_before; // else a first guard stays, as far as it came
        if (!learned_) static_cast<void>(put_both());
        policy_.undo(plan, *added);
        return done;
    }
    if (before) policy_.drop_not_in(plan, *before);
    learned_ = false;
    return {};
}

Result<std::string> IptablesInstaller::missing()
{
    if (!in_force_ || learned_) return std::string();
    for (const bool v6 : {false, true})
        if (auto lacks = missing_in(v6); !lacks || !lacks->empty()) return lacks;
    const auto policy = policy_.missing(*in_force_);
    if (!policy) return policy.error();
    return policy->empty() ? std::string() : policy->front();
}

Result<Repairs> IptablesInstaller::repair(const Plan& plan)
{
    Repairs repairs;
    if (in_force_ && !learned_) {
        auto policy = policy_.missing(*in_force_);
        if (!policy) return policy.error();
        repairs = std::move(*policy);
        for (const bool v6 : {false, true}) {
            const auto lacks = missing_in(v6);
            if (!lacks) return lacks.error();
            if (!lacks->empty()) repairs.push_back(*lacks);
        }
    }
    const Plan next = completed(plan);
    const bool is_there = in_force_ && !learned_ && repairs.empty() &&
                          iptables_text(next) == iptables_text(*in_force_) && ip_text(next) == ip_text(*in_force_);
    if (is_there) return repairs;
    if (auto installed = install(plan); !installed) return installed.error();
    return repairs;
}

Result<> IptablesInstaller::beat()
{
    auto beaten = beat_.beat();
    if (!beaten || !beats_v6()) return beaten;
    return beat_v6_->beat();
}

Result<> IptablesInstaller::still()
{
    if (!in_force_) return {};
    auto ended = beat_.end(last_beat_port);
    if (!beats_v6()) return ended;
    auto ended_v6 = beat_v6_->end(last_beat_port);
    return ended ? ended_v6 : ended;
}

std::vector<int> IptablesInstaller::sockets() const
{
    std::vector<int> ours{owner_.number(), beat_.socket().number()};
    if (beat_v6_) ours.push_back(beat_v6_->socket().number());
    return ours;
}

Result<> IptablesInstaller::learn(Descriptor owner)
{
    owner_ = std::move(owner);
    auto rules = policy_.in_kernel(settings_);
    if (!rules) return rules.error();
    Plan plan;
    plan.settings = settings_;
    plan.policy_rules = std::move(*rules);
    plan = completed(std::move(plan));
    for (const bool v6 : {false, true}) {
        const auto there = programs_.found(v6, settings_, {"filter", "mangle", "nat", "raw"});
        if (!there) continue;
        plan.redirects = plan.redirects || there->has_rule("redirecting");
        plan.zones_twins = plan.zones_twins || there->has_rule("twins");
        plan.zones_kept = plan.zones_kept || there->has_rule("beside NAT");
        plan.datagrams = plan.datagrams || there->has_rule("divert answers");
    }
    in_force_ = std::move(plan);
    learned_ = true;
    return {};
}

Result<std::unique_ptr<IptablesInstaller>> open_installer(const Settings& settings, Result<Heartbeat> beat,
                                                          std::optional<Heartbeat> beat_v6)
{
    auto programs = IptablesPrograms::find(settings);
    if (!programs) return programs.error();
    if (!beat) return beat.error();
    auto policy = Policy::open();
    if (!policy) return policy.error();
    return std::make_unique<IptablesInstaller>(settings, std::move(*programs), std::move(*policy), std::move(*beat),
                                               std::move(beat_v6));
}

std::optional<Heartbeat> if_any(Result<Heartbeat> heartbeat)
{
    if (!heartbeat) return std::nullopt;
    return std::move(*heartbeat);
}

} // namespace

Result<std::unique_ptr<Installer>> open_iptables(const Settings& settings)
{
    auto opened = open_installer(settings, Heartbeat::open(), if_any(Heartbeat::open(true)));
    if (!opened) return opened.error();
    return std::unique_ptr<Installer>(std::move(*opened));
}

bool is_of_iptables(const Handover& handover) { return handover.state.starts_with(state_word); }

Result<std::unique_ptr<Installer>> adopt_iptables(const Settings& settings, Handover handover)
{
    if (auto fits = check_handover(handover, state_of(settings), 2, 3); !fits) return fits.error();
    auto& sockets = handover.descriptors;
    auto beat_v6 = sockets.size() == 3 ? if_any(Heartbeat::adopt(std::move(sockets[2]))) : std::nullopt;
    auto opened = open_installer(settings, Heartbeat::adopt(std::move(sockets[1])), std::move(beat_v6));
    if (!opened) return opened.error();
    if (auto learned = (*opened)->learn(std::move(sockets[0])); !learned) return learned.error();
    return std::unique_ptr<Installer>(std::move(*opened));
}

Result<> sweep_iptables(const Settings& settings)
{
    if (settings.table.size() > max_chain_prefix) return {};
    const auto owner = own_iptables(settings);
    if (!owner) return owner.error();
    IptablesPrograms::sweep(settings);
    return {};
}

} // namespace gw::netfilter
