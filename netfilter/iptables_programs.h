#pragma once

#include "gateway/base/result.h"
#include "netfilter/ipset.h"
#include "netfilter/iptables_text.h"

#include <set>
#include <string>

namespace gw::netfilter {

/// The programs that read and write iptables' rules: `iptables-restore`, `ip6tables-save` and so on, of one variant.
class IptablesPrograms {
public:
    /// The first variant that is there and whose rules this kernel takes: what `iptables` means on this host, else the
    /// legacy one, else that which stands on nf_tables. A chain that no packet reaches is made and removed to learn it.
    /// Errors: `denied` without CAP_NET_ADMIN; `system`: `what` says what is missing.
    /// By a name of its own where it has one: these rules stay where they are when the host chooses another variant.
    static Result<IptablesPrograms> find(const Settings& settings);
    /// The variant with this name, on trust. Errors: `system` when there is none.
    static Result<IptablesPrograms> of_name(const std::string& name);
    /// Takes away what any variant shows of ours, and the sets of networks. Errors are nobody's business: most hosts
    /// have no such thing.
    static void sweep(const Settings& settings);
    /// The same of the variants that keep their rules elsewhere: what `iptables` means on a host can be changed.
    void sweep_others(const Settings& settings) const;

    /// "iptables (nf_tables)", "iptables (legacy)"
    const std::string& name() const { return name_; }
    /// Whether there is a program for the family.
    bool has(bool v6) const { return !file(v6, "restore").empty(); }

    /// What is there of ours. Who is not root cannot ask the legacy programs which tables there are: they look into
    /// these then, which makes them where they are not. Errors: `system`, `timed_out`.
    Result<FoundIptables> found(bool v6, const Settings& settings, const std::set<std::string>& tables) const;
    /// One table as `iptables-save` writes it. Errors: `system`, `timed_out`.
    Result<std::string> saved(bool v6, const std::string& table) const;
    /// One transaction a table. Errors: `system` with the program's own words, `timed_out`.
    Result<> restore(bool v6, const std::string& text) const;
    /// Whether rules can ask sets of networks here. Errors: `system`: what is missing.
    Result<> try_sets(const Settings& settings, const Ipset& ipset) const;

private:
    explicit IptablesPrograms(std::string variant) : variant_(std::move(variant)) {}

    std::string file(bool v6, const char* verb) const;
    std::string read_name() const;
    void sweep_own(const Settings& settings) const;
    Error absent(bool v6, const char* verb) const;
    Result<> try_out(const Settings& settings) const;

    std::string variant_; ///< "", "-legacy", "-nft"
    std::string name_;
};

} // namespace gw::netfilter
