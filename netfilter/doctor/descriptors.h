#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace gw::doctor {

/// How many files the daemon may open, and who decides that. It raises its own limit to the hard one.
struct DescriptorLimit {
    std::size_t hard = 0;              ///< RLIMIT_NOFILE of the daemon
    std::size_t kernel_most = 0;       ///< fs.nr_open: no process may have more; 0: not known
    bool by_unit = false;              ///< started by systemd
    std::optional<std::size_t> unit{}; ///< LimitNOFILE of the unit, as its files have it
    std::string container{};           ///< "docker", "lxc" ...; empty: in none
};

/// Of the calling process.
DescriptorLimit descriptor_limit_of_this_process();

/// The hard limit in the last `LimitNOFILE=` of a unit's file; none: it says nothing of it. "infinity" is what the
/// kernel allows at most. Pure.
std::optional<std::size_t> unit_limit_in(std::string_view text, std::size_t kernel_most);

/// What has to be done for so many. Pure.
std::string how_to_raise(const DescriptorLimit& limit, std::size_t needed);

} // namespace gw::doctor
