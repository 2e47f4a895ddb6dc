// How many files the daemon may open.

#include "netfilter/doctor/descriptors.h"

#include "netfilter/doctor/report.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sys/resource.h>

namespace gw::doctor {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t descriptors_each = 2;        ///< of a connection: to the client, to the server
constexpr std::size_t descriptors_besides = 1'024; ///< listeners, pipes, logs, inspectors

std::string contents_of(const fs::path& file)
{
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string first_word_of(const fs::path& file)
{
    std::ifstream in(file);
    std::string word;
    in >> word;
    return word;
}

std::size_t number_in(std::string_view text)
{
    std::size_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

/// As systemd reads it: the first file of the unit there is, then its drop-ins by name. systemd.unit(5).
std::optional<std::size_t> limit_of_unit(std::size_t kernel_most)
{
    constexpr const char* folders[] = {"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
                                       "/usr/lib/systemd/system", "/lib/systemd/system"};
    fs::path unit;
    std::map<std::string, fs::path> drop_ins; // one of the same name in a folder before replaces it
    std::error_code failed;
    for (const fs::path folder : folders) {
        if (unit.empty() && fs::exists(folder / "gateway.service", failed)) unit = folder / "gateway.service";
        for (const auto& entry : fs::directory_iterator(folder / "gateway.service.d", failed))
            if (entry.path().extension() == ".conf") drop_ins.emplace(entry.path().filename(), entry.path());
    }
    auto limit = unit_limit_in(contents_of(unit), kernel_most);
    for (const auto& [name, file] : drop_ins)
        if (const auto another = unit_limit_in(contents_of(file), kernel_most)) limit = another;
    return limit;
}

/// What the container's manager wrote for those inside. systemd writes it for its own services, too.
std::string container()
{
    if (auto name = first_word_of("/run/systemd/container"); !name.empty()) return name;
    std::error_code failed;
    if (fs::exists("/run/.containerenv", failed)) return "podman";
    if (fs::exists("/.dockerenv", failed)) return "docker";
    const auto* named = std::getenv("container");
    return named == nullptr ? "" : named;
}

/// The command, or the setting, of what started the container.
std::string raise_of_container(const std::string& name, const std::string& count)
{
    if (name == "docker" || name == "podman")
        return name + " run --ulimit nofile=" + count + ':' + count + " ... (outside, when the container is started)";
    if (name == "lxc") return "lxc.prlimit.nofile = " + count + " in the container's configuration, outside";
    if (name == "systemd-nspawn")
        return "systemd-nspawn --rlimit=RLIMIT_NOFILE=" + count + " ... (outside, when the container is started)";
    return "outside, in what starts the container (" + name + "): a hard limit of " + count + " open files";
}

} // namespace

std::optional<std::size_t> unit_limit_in(std::string_view text, std::size_t kernel_most)
{
    std::optional<std::size_t> limit;
    while (!text.empty()) {
        auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        constexpr std::string_view name = "LimitNOFILE=";
        if (!line.starts_with(name)) continue;
        line.remove_prefix(name.size());
        if (const auto colon = line.find(':'); colon != std::string_view::npos) line.remove_prefix(colon + 1);
        if (line.starts_with("infinity"))
            limit = kernel_most != 0 ? kernel_most : SIZE_MAX;
        else if (const auto number = number_in(line); number != 0)
            limit = number;
        else
            limit.reset(); // an empty one takes back what was said before
    }
    return limit;
}

DescriptorLimit descriptor_limit_of_this_process()
{
    DescriptorLimit found;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) found.hard = static_cast<std::size_t>(limit.rlim_max);
    found.kernel_most = number_in(first_word_of("/proc/sys/fs/nr_open"));
    found.by_unit = std::getenv("INVOCATION_ID") != nullptr;
    if (found.by_unit) found.unit = limit_of_unit(found.kernel_most);
    found.container = container();
    return found;
}

std::string how_to_raise(const DescriptorLimit& limit, std::size_t needed)
{
    const auto count = std::to_string(needed);
    std::string mend;
    if (limit.kernel_most != 0 && limit.kernel_most < needed)
        mend = limit.container.empty() ? "sysctl -w fs.nr_open=" + count + " && "
                                       : "on the host: sysctl -w fs.nr_open=" + count + "; then ";
    const bool unit_asks = limit.by_unit && limit.unit.value_or(0) >= needed;
    if (limit.by_unit && !unit_asks)
        return mend + "mkdir -p /etc/systemd/system/gateway.service.d && printf '[Service]\\nLimitNOFILE=" + count +
               "\\n' > /etc/systemd/system/gateway.service.d/files.conf && systemctl daemon-reload && "
               "systemctl restart gateway";
    if (!limit.container.empty()) return mend + raise_of_container(limit.container, count);
    if (limit.by_unit) return mend + "systemctl daemon-reload && systemctl restart gateway";
    return mend + "ulimit -Hn " + count + " (as root, in what starts gatewayd; a shell keeps it for what it starts)";
}

void diagnose_descriptors(const Facts& facts, const Subject& subject, Report& report)
{
    if (!facts.descriptors || subject.connections == 0) return;
    const auto& limit = *facts.descriptors;
    report.looked_at("descriptors");
    const auto needed = subject.connections * descriptors_each + descriptors_besides;
    if (limit.hard >= needed) return;
    auto evidence = "the hard limit of open files (RLIMIT_NOFILE) is " + std::to_string(limit.hard);
    if (limit.unit) evidence += "; LimitNOFILE of the unit is " + std::to_string(*limit.unit);
    if (limit.kernel_most != 0) evidence += "; fs.nr_open is " + std::to_string(limit.kernel_most);
    if (limit.unit.value_or(0) >= needed && !limit.container.empty())
        evidence += "; systemd itself may have no more in this container (" + limit.container + ')';
    report.add({"descriptors", Severity::warning,
                "gatewayd may open " + std::to_string(limit.hard) + " files; limits.connections: " +
                    std::to_string(subject.connections) + " needs " + std::to_string(needed),
                std::move(evidence),
                "connections beyond about " + std::to_string(limit.hard > descriptors_besides
                                                                 ? (limit.hard - descriptors_besides) / descriptors_each
                                                                 : 0),
                how_to_raise(limit, needed)});
}

} // namespace gw::doctor
