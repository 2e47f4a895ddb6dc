#pragma once

#include "gateway/base/endpoint.h"
#include "netfilter/settings.h"

#include <string>
#include <string_view>

namespace gw::keeper {

/// What a listening socket is called while the service manager keeps it:
///
///     gw1/<listener>/<where><transport><port>/<worker>/<address>/<port>         gw1/web/btc/0/00000000/80
///
/// where: b at an address of the configuration, t tproxy, r redirect, e external. transport: t TCP, u UDP. port: c the
/// configuration's, k the kernel's choice. address: its bytes in hexadecimal, as bound. The service manager allows 255
/// bytes of ASCII without ":". All names together are one variable in the environment of the next start, of which the
/// kernel allows 128 KiB: that bounds how many there may be (`most_stored`).
struct DescriptorName {
    std::string listener; ///< letters, digits, "_", "." and "-"
    bool intercepting = false;
    netfilter::Mode mode = netfilter::Mode::tproxy; ///< of the interception
    bool datagrams = false;
    bool any_port = false; ///< the kernel chose the port
    std::size_t worker = 0;
    Endpoint bound;

    /// The address as configured.
    Endpoint asked() const { return {bound.address, any_port ? std::uint16_t{0} : bound.port}; }
    friend bool operator==(const DescriptorName&, const DescriptorName&) = default;
};

inline constexpr std::size_t max_descriptor_name_bytes = 120;
inline constexpr std::size_t most_stored = 1024;

/// Pure.
std::string encode(const DescriptorName& name);
/// Pure. There is one way to write a name, and only that is taken. Errors: `malformed`: it is none of ours.
Result<DescriptorName> decode_descriptor_name(std::string_view text);

} // namespace gw::keeper
