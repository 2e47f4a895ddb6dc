#include "netfilter/iptables_programs.h"

#include "netfilter/probe.h"
#include "netfilter/program.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <unistd.h>

namespace gw::netfilter {
namespace {

using namespace std::chrono_literals;

// The beats wait meanwhile, which last longer than the lock is waited for.
constexpr auto limit = 5s;
constexpr const char* wait_for_others = "1"; // seconds, for the lock of the legacy programs

constexpr const char* variants[] = {"", "-legacy", "-nft"};
constexpr const char* own_names[] = {"-legacy", "-nft"};
constexpr const char* common_lock = "/run/xtables.lock";

/// What the kernel must have for every plan.
std::string trial_text(const Settings& settings)
{
    const std::string chain = settings.table + "-probe";
    const std::string add = "-A " + chain + ' ';
    return "*mangle\n:" + chain + " - [0:0]\n" +                                               //
           add + "-m mark --mark 0x1/0x1 -m comment --comment probe -j RETURN\n" +             //
           add + "-m recent --set --name " + chain + " --mask 0.0.0.0 --rsource -j RETURN\n" + //
           add + "-p tcp -m socket --transparent -j RETURN\n" +                                //
           add + "-m addrtype --dst-type LOCAL -j RETURN\n" +                                  //
           add + "-p tcp -m multiport --dports 1,3:4 -j RETURN\n" +                            //
           add + "-j MARK --set-xmark 0x1/0x1\n" +                                             //
           add + "-p tcp -j TPROXY --on-ip 127.0.0.1 --on-port 1 --tproxy-mark 0x1/0x1\n" + "COMMIT\n";
}

std::string end_of_trial(const Settings& settings)
{
    const std::string chain = settings.table + "-probe";
    return "*mangle\n:" + chain + " - [0:0]\n-X " + chain + "\nCOMMIT\n";
}

/// Who is not root cannot open the lock that root's programs share, and needs one of his own.
std::vector<std::string> environment()
{
    if (::geteuid() == 0 || ::access(common_lock, R_OK) == 0) return {};
    const char* folder = ::getenv("RUNTIME_DIRECTORY");
    return {std::string("XTABLES_LOCKFILE=") + (folder == nullptr ? "/tmp" : folder) + "/xtables.lock"};
}

Result<std::string> run(const std::vector<std::string>& words, const std::string& input)
{
    return output_of(words, input, limit, environment());
}

/// "iptables-restore v1.8.9 (nf_tables)" -> "iptables (nf_tables)"
std::string name_in(const std::string& version)
{
    const auto bracket = version.rfind('(');
    const auto end = bracket == std::string::npos ? bracket : version.find(')', bracket);
    if (end == std::string::npos) return "iptables";
    return "iptables " + version.substr(bracket, end - bracket + 1);
}

} // namespace

std::string IptablesPrograms::file(bool v6, const char* verb) const
{
    return program_file(std::string(v6 ? "ip6tables" : "iptables") + variant_ + '-' + verb);
}

Error IptablesPrograms::absent(bool v6, const char* verb) const
{
    return {Fault::system, Side::gateway,
            std::string("there is no ") + (v6 ? "ip6tables" : "iptables") + variant_ + '-' + verb +
                ": install the package iptables"};
}

Result<FoundIptables> IptablesPrograms::found(bool v6, const Settings& settings,
                                              const std::set<std::string>& tables) const
{
    const auto program = file(v6, "save");
    if (program.empty()) return absent(v6, "save");
    const auto text = run({program}, {});
    if (text) return ours_in(settings, *text);
    if (text.error().what.find("tables_names") == std::string::npos) return text.error();
    std::string each;
    for (const std::string& table : tables) {
        const auto of_table = saved(v6, table);
        if (!of_table) return of_table.error();
        each += *of_table;
    }
    return ours_in(settings, each);
}

Result<std::string> IptablesPrograms::saved(bool v6, const std::string& table) const
{
    const auto program = file(v6, "save");
    if (program.empty()) return absent(v6, "save");
    return run({program, "-t", table}, {});
}

Result<> IptablesPrograms::restore(bool v6, const std::string& text) const
{
    const auto program = file(v6, "restore");
    if (program.empty()) return absent(v6, "restore");
    const auto done = run({program, "--noflush", "-w", wait_for_others}, text);
    if (!done) return done.error();
    return {};
}

Result<> IptablesPrograms::try_out(const Settings& settings) const
{
    if (auto tried = restore(false, trial_text(settings)); !tried) return tried;
    return restore(false, end_of_trial(settings));
}

/// Empty: the program does not say.
std::string IptablesPrograms::read_name() const
{
    const auto version = run({file(false, "restore"), "--version"}, {});
    return name_in(version ? *version : std::string());
}

Result<> IptablesPrograms::try_sets(const Settings& settings, const Ipset& ipset) const
{
    const std::string set = name_of_trial_set(settings);
    const std::string chain = settings.table + "-probe";
    static_cast<void>(ipset.restore("destroy " + set + '\n')); // of one that was killed
    if (auto made = ipset.restore("create " + set + " hash:net family inet\n"); !made) return made;
    auto tried = restore(false, "*mangle\n:" + chain + " - [0:0]\n-A " + chain + " -m set --match-set " + set +
                                    " dst -j RETURN\nCOMMIT\n");
    if (tried) tried = restore(false, end_of_trial(settings));
    const auto ended = ipset.restore("destroy " + set + '\n');
    return tried ? ended : tried;
}

Result<IptablesPrograms> IptablesPrograms::find(const Settings& settings)
{
    if (!may_change_the_network())
        return Error{Fault::denied, Side::gateway,
                     "changing kernel rules needs CAP_NET_ADMIN: run as root, or use systemctl start gateway"};
    std::string failures;
    for (const char* variant : variants) {
        IptablesPrograms programs(variant);
        if (!programs.has(false)) continue;
        if (const auto tried = programs.try_out(settings); !tried) {
            failures += (failures.empty() ? "" : "; ") + tried.error().what;
            continue;
        }
        programs.name_ = programs.read_name();
        for (const char* lasting : own_names) {
            IptablesPrograms same(lasting);
            if (*variant != '\0' || !same.has(false) || same.has(true) != programs.has(true)) continue;
            same.name_ = same.read_name();
            if (same.name_ == programs.name_) return same;
        }
        return programs;
    }
    if (failures.empty()) return IptablesPrograms("").absent(false, "restore");
    return Error{Fault::system, Side::gateway, std::move(failures)};
}

Result<IptablesPrograms> IptablesPrograms::of_name(const std::string& name)
{
    for (const char* variant : variants) {
        IptablesPrograms programs(variant);
        if (!programs.has(false)) continue;
        programs.name_ = programs.read_name();
        if (programs.name_ == name) return programs;
    }
    return Error{Fault::system, Side::gateway, "there is no " + name + " here: install the package iptables"};
}

/// Every plan has rules in the first two tables, and few hosts have any in the others: who may not ask which tables
/// there are looks into those only when it has to.
void IptablesPrograms::sweep_own(const Settings& settings) const
{
    for (const bool v6 : {false, true}) {
        if (!has(v6)) continue;
        auto there = found(v6, settings, {"filter", "mangle"});
        if (there && !there->empty()) there = found(v6, settings, {"filter", "mangle", "nat", "raw"});
        if (there && !there->empty()) static_cast<void>(restore(v6, restore_text({}, *there)));
    }
}

void IptablesPrograms::sweep(const Settings& settings)
{
    // By their own names, or each would be asked twice: what is called iptables is one of them.
    const bool are_told_apart = IptablesPrograms("-legacy").has(false) || IptablesPrograms("-nft").has(false);
    for (const char* variant : variants)
        if (!are_told_apart || *variant != '\0') IptablesPrograms(variant).sweep_own(settings);
    Ipset::sweep(settings);
}

void IptablesPrograms::sweep_others(const Settings& settings) const
{
    for (const char* variant : own_names) {
        const IptablesPrograms other(variant);
        if (other.has(false) && variant_ != variant && other.read_name() != name_) other.sweep_own(settings);
    }
}

} // namespace gw::netfilter
