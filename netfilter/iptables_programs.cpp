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

/// The line that a message like "line: 12" or "line 12 failed" means; the last one it names.
std::string line_meant(const std::string& message, const std::string& text)
{
    const auto at = message.rfind("line");
    const auto digits = at == std::string::npos ? at : message.find_first_of("0123456789", at);
    if (digits == std::string::npos) return {};
    auto number = std::strtoul(message.c_str() + digits, nullptr, 10);
    std::size_t begin = 0;
    for (; number > 1 && begin != std::string::npos; --number) {
        begin = text.find('\n', begin);
        if (begin != std::string::npos) ++begin;
    }
    if (begin == std::string::npos) return {};
    return text.substr(begin, text.find('\n', begin) - begin);
}

std::string one_line(std::string text)
{
    constexpr std::size_t longest = 400;
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    for (char& letter : text)
        if (static_cast<unsigned char>(letter) < ' ') letter = ' ';
    return text.substr(0, longest);
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
    auto ran = run_program(words, input, limit, environment());
    if (!ran) return ran.error();
    if (ran->status == 0) return std::move(ran->out);
    std::string what =
        words[0] + ": " + (ran->err.empty() ? "status " + std::to_string(ran->status) : one_line(ran->err));
    if (const auto line = line_meant(ran->err, input); !line.empty()) what += " [" + line + ']';
    return Error{Fault::system, Side::gateway, std::move(what)};
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
        const auto saved = run({program, "-t", table}, {});
        if (!saved) return saved.error();
        each += *saved;
    }
    return ours_in(settings, each);
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
        const auto version = run({programs.file(false, "restore"), "--version"}, {});
        programs.name_ = name_in(version ? *version : std::string());
        return programs;
    }
    if (failures.empty()) return IptablesPrograms("").absent(false, "restore");
    return Error{Fault::system, Side::gateway, std::move(failures)};
}

void IptablesPrograms::sweep(const Settings& settings)
{
    // By their own names, or each would be asked twice: what is called iptables is one of them.
    const bool are_told_apart = IptablesPrograms("-legacy").has(false) || IptablesPrograms("-nft").has(false);
    for (const char* variant : variants) {
        const IptablesPrograms programs(variant);
        if (are_told_apart && *variant == '\0') continue;
        for (const bool v6 : {false, true}) {
            if (!programs.has(v6)) continue;
            const auto there = programs.found(v6, settings, {});
            if (there && !there->empty()) static_cast<void>(programs.restore(v6, restore_text({}, *there)));
        }
    }
}

} // namespace gw::netfilter
