#include "gateway/ctl/doctor_walls.h"

#include "netfilter/iptables_programs.h"

#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gw::ctl {

namespace {

// Not of gatewayd's names: it would take them for its own, and away.
constexpr std::string_view through = "gateway_doctor_fwd";
constexpr std::string_view out = "gateway_doctor_out";

bool is_wall(std::string_view chain) { return chain == through || chain == out; }

std::string_view next_word(std::string_view& text)
{
    const auto end = std::min(text.find(' '), text.size());
    const auto word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return word;
}

/// For both families, of this run and of any before.
void take_away(const netfilter::IptablesPrograms& programs)
{
    for (const bool v6 : {false, true}) {
        const auto saved = programs.has(v6) ? programs.saved(v6, "mangle") : Result<std::string>(std::string());
        const auto text = saved ? end_of_walls(*saved) : std::string();
        if (!text.empty()) static_cast<void>(programs.restore(v6, text));
    }
}

/// The process that waits for the end of this one. It holds nothing of it but `end`.
[[noreturn]] void wait_and_take_away(int end, const netfilter::IptablesPrograms& programs)
{
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) std::signal(signal, SIG_IGN);
    ::setsid(); // an interrupt at the terminal is for the other one
    if (end > 3) ::close_range(3, static_cast<unsigned>(end) - 1, 0);
    ::close_range(static_cast<unsigned>(end) + 1, ~0U, 0);
    char nothing = 0;
    while (::read(end, &nothing, 1) < 0 && errno == EINTR) {
    }
    take_away(programs);
    ::_exit(0);
}

} // namespace

std::string wall_text(const Enclosure& enclosure, bool v6)
{
    const std::string add = "-A " + std::string(through) + ' ', add_out = "-A " + std::string(out) + ' ';
    std::string text = "*mangle\n:" + std::string(through) + " - [0:0]\n:" + std::string(out) + " - [0:0]\n";
    text += add + "-i " + enclosure.interface + " -j DROP\n";
    text += add + "-o " + enclosure.interface + " -j DROP\n";
    for (const std::string& network : v6 ? enclosure.networks_v6 : enclosure.networks_v4)
        text += add_out + "-s " + network + " ! -o " + enclosure.interface + " -j DROP\n";
    text += "-I FORWARD 1 -j " + std::string(through) + "\n-I OUTPUT 1 -j " + std::string(out) + "\nCOMMIT\n";
    return text;
}

std::string end_of_walls(std::string_view saved)
{
    std::string chains, jumps, removals;
    while (!saved.empty()) {
        const auto end = std::min(saved.find('\n'), saved.size());
        auto line = saved.substr(0, end);
        saved.remove_prefix(std::min(end + 1, saved.size()));
        if (line.starts_with(':')) {
            line.remove_prefix(1);
            const std::string name(next_word(line));
            if (!is_wall(name)) continue;
            chains += ':' + name + " - [0:0]\n"; // emptied
            removals += "-X " + name + '\n';
        } else if (line.starts_with("-A ")) {
            const std::string rule(line.substr(2));
            line.remove_prefix(3);
            const auto chain = next_word(line);
            const auto target = line.find("-j ");
            if (!is_wall(chain) && target != std::string_view::npos && is_wall(line.substr(target + 3)))
                jumps += "-D" + rule + '\n';
        }
    }
    if (chains.empty()) return {};
    return "*mangle\n" + chains + jumps + removals + "COMMIT\n";
}

Walls::~Walls()
{
    alive_.reset();
    while (waiting_ > 0 && ::waitpid(waiting_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

Result<> Walls::build_of_nft(const Enclosure& enclosure)
{
    auto context = netfilter::NftContext::open();
    if (!context) return context.error();
    const std::string table = "inet gateway_doctor_" + std::to_string(::getpid());
    std::string text = "add table " + table + " { flags owner; }\n";
    for (const char* hook : {"forward", "output"})
        text += "add chain " + table + ' ' + hook + " { type filter hook " + hook + " priority -400; }\n";
    text += "add rule " + table + " forward iifname \"" + enclosure.interface + "\" drop\n";
    text += "add rule " + table + " forward oifname \"" + enclosure.interface + "\" drop\n";
    for (const bool v6 : {false, true})
        for (const std::string& network : v6 ? enclosure.networks_v6 : enclosure.networks_v4)
            text += "add rule " + table + " output oifname != \"" + enclosure.interface + "\" " + (v6 ? "ip6" : "ip") +
                    " saddr " + network + " drop\n";
    if (auto run = context->run(text); !run) return run;
    table_.emplace(std::move(*context));
    return {};
}

Result<> Walls::build_of_iptables(const Enclosure& enclosure, const std::string& backend)
{
    const auto programs = netfilter::IptablesPrograms::of_name(backend);
    if (!programs) return programs.error();
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("pipe");
    Descriptor theirs(ends[0]);
    alive_.reset(ends[1]);
    waiting_ = ::fork();
    if (waiting_ < 0) return system_error("fork");
    if (waiting_ == 0) wait_and_take_away(theirs.number(), *programs);
    take_away(*programs); // what a power failure left
    for (const bool v6 : {false, true}) {
        if ((v6 ? enclosure.networks_v6 : enclosure.networks_v4).empty()) continue;
        if (auto made = programs->restore(v6, wall_text(enclosure, v6)); !made) return made;
    }
    return {};
}

Result<> Walls::build(const Enclosure& enclosure, const std::string& backend)
{
    return backend == "nft" ? build_of_nft(enclosure) : build_of_iptables(enclosure, backend);
}

} // namespace gw::ctl
