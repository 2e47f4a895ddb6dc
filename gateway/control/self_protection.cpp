#include "gateway/control/self_protection.h"

#include "gateway/base/heap.h"
#include "gateway/base/log.h"

#include <algorithm>
#include <array>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <fcntl.h>
#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

namespace gw::control {

namespace {

using namespace std::chrono_literals;

constexpr auto look_interval = 100ms;
constexpr auto told_for = 1s; // after the last body that was refused
// Giving free memory back to the kernel takes milliseconds and holds up whoever allocates meanwhile.
constexpr int looks_between_trims = 5;

/// Of the budget, in per cent: where it begins, and where it ends.
constexpr std::uint64_t shed_from = 92, shed_until = 90, reset_from = 95, reset_until = 93;

constexpr std::size_t most_room = 65'536; // descriptors

std::string in_mib(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

/// memory.max of the control group (version 2) of this process; empty: none.
std::string limit_of_group()
{
    std::ifstream groups{"/proc/self/cgroup"};
    for (std::string line; std::getline(groups, line);) {
        if (!line.starts_with("0::")) continue;
        std::ifstream file{"/sys/fs/cgroup" + line.substr(3) + "/memory.max"};
        std::string limit;
        std::getline(file, limit);
        return limit;
    }
    return {};
}

} // namespace

std::size_t connections_for(std::size_t open_files, std::size_t listening_sockets)
{
    const auto reserve = listening_sockets + std::clamp<std::size_t>(open_files / 8, 32, 256);
    return open_files > reserve + 2 ? (open_files - reserve) / 2 : 1;
}

std::size_t raise_open_files()
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
    const auto soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : soft;
}

void make_room_for_descriptors(std::size_t open_files)
{
    const auto last = static_cast<int>(std::min(open_files, most_room)) - 1;
    const Descriptor far{::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, last)}; // closed at once; the table stays
}

Shortage shortage_at(Shortage before, std::uint64_t used_bytes, std::uint64_t budget_bytes)
{
    if (budget_bytes == 0) return Shortage::none;
    const auto per_cent = used_bytes * 100 / budget_bytes;
    if (per_cent >= reset_from || (before == Shortage::reset && per_cent >= reset_until)) return Shortage::reset;
    if (per_cent >= shed_from || (before != Shortage::none && per_cent >= shed_until)) return Shortage::shed;
    return Shortage::none;
}

std::uint64_t budget_of_group(std::string_view limit)
{
    std::uint64_t bytes = 0;
    const auto [end, wrong] = std::from_chars(limit.data(), limit.data() + limit.size(), bytes);
    if (wrong != std::errc{} || end != limit.data() + limit.size()) return 0;
    return bytes / 4 * 3;
}

SelfProtection::SelfProtection(asio::io_context& io, session::Gate& gate, session::Refusals& refusals,
                               const std::vector<std::unique_ptr<session::Worker>>& workers)
    : io_(io), gate_(gate), refusals_(refusals), workers_(workers), open_files_(raise_open_files()),
      group_budget_bytes_(budget_of_group(limit_of_group())), statm_(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC))
{}

void SelfProtection::apply(const session::Settings& settings, std::size_t listening_sockets)
{
    const auto most = connections_for(open_files_, listening_sockets);
    const auto allowed = std::min(settings.connections, most);
    wanted_ = settings.connections;
    gate_.set_limits({allowed, settings.per_client});
    if (allowed < wanted_)
        log::warning(
            "at most " + std::to_string(allowed) + " connections instead of limits.connections " +
            std::to_string(wanted_) + ": this process may open " + std::to_string(open_files_) +
            " files. Raise that (systemd: LimitNOFILE=" + std::to_string(wanted_ * 2 + 256 + listening_sockets) +
            ", a shell: ulimit -Hn; `gatewayctl doctor` says what keeps it down), or lower limits.connections");
    budget_bytes_ = settings.memory_bytes != 0 ? settings.memory_bytes : group_budget_bytes_;
    look();
}

std::uint64_t SelfProtection::resident_bytes() const
{
    std::array<char, 128> text{};
    const auto count = ::pread(statm_.number(), text.data(), text.size() - 1, 0);
    if (count <= 0) return 0;
    // "size resident shared ...", in pages.
    const std::string_view line{text.data(), static_cast<std::size_t>(count)};
    const auto second = line.find(' ') + 1;
    std::uint64_t pages = 0;
    std::from_chars(line.data() + second, line.data() + line.size(), pages);
    return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void SelfProtection::look()
{
    refusals_.flush(session::Refusals::Clock::now());
    if (budget_bytes_ == 0) {
        gate_.memory().set(MemoryAllowance::unlimited);
        gate_.set_shedding(false); // a reload may have taken the budget away while memory was short
        shortage_ = Shortage::none;
        return tell();
    }
    used_bytes_ = resident_bytes();
    auto next = shortage_at(shortage_, used_bytes_, budget_bytes_);
    if (next != Shortage::none && ++looks_ % looks_between_trims == 1) {
        give_back_free_memory(Memory::is_short); // what was freed counts until the kernel has it back
        used_bytes_ = resident_bytes();
        next = shortage_at(shortage_, used_bytes_, budget_bytes_);
    }
    shortage_ = next;
    gate_.set_shedding(next != Shortage::none);
    const auto most = static_cast<std::int64_t>(budget_bytes_ / 100 * reset_from);
    gate_.memory().set(std::max<std::int64_t>(most - static_cast<std::int64_t>(used_bytes_), 0));
    for (const auto& worker : workers_) {
        if (next != Shortage::none) worker->shed_idle();
        if (next == Shortage::reset) worker->shed_largest();
    }
    if (next == Shortage::none) looks_ = 0;
    tell();
}

/// Says once that memory became short, or that it no longer is.
void SelfProtection::tell()
{
    const auto now = std::chrono::steady_clock::now();
    const auto refusals = gate_.memory().refusals();
    if (std::exchange(bodies_refused_, refusals) != refusals) refusing_until_ = now + told_for;
    const bool was_short = std::exchange(is_short_, shortage_ != Shortage::none || now < refusing_until_);
    if (is_short_ && !was_short)
        log::warning(shortage_text() + (shortage_ != Shortage::none
                                            ? "; nothing new is begun"
                                            : "; bodies that would have to be held for inspection are refused"));
    if (was_short && !is_short_)
        log::info("memory is no longer short: " + in_mib(used_bytes_) + " of " + in_mib(budget_bytes_));
}

std::string SelfProtection::shortage_text() const
{
    return "memory is short: " + in_mib(used_bytes_) + " of limits.memory " + in_mib(budget_bytes_) + " are in use";
}

Task<void> SelfProtection::watch()
{
    asio::steady_timer pause{io_};
    for (;;) {
        pause.expires_after(look_interval);
        auto outcome = co_await pause.async_wait(as_outcome);
        auto& [failed] = outcome;
        if (failed) co_return;
        look();
    }
}

std::vector<std::string> SelfProtection::problems() const
{
    return is_short_ ? std::vector{shortage_text()} : std::vector<std::string>{};
}

} // namespace gw::control
