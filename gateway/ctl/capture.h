#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/config/settings.h"

#include <optional>
#include <string>
#include <vector>

namespace gw::ctl {

/// What is known of a connection that has not been made.
struct Packet {
    std::optional<Address> client;
    std::optional<Address> destination; ///< none: a name, and nobody could say its address
    std::uint16_t port = 0;
};

/// Whether a listener takes a connection, and why.
struct Fit {
    enum class Answer {
        yes,
        if_own,  ///< a wildcard `bind`: if the destination is an address of the gateway's host
        unknown, ///< the port fits, the rest depends on the destination, which is not known
        no,
    };
    Answer answer = Answer::no;
    std::string why;                   ///< "192.0.2.10 is in 192.0.2.0/24, port 80 is in 80"
    std::vector<std::string> provided; ///< conditions nothing is known about: "it arrives on eth0"
};

/// Pure; what the kernel's rules decide, in words.
Fit fit_of(const intake::ListenerSettings& listener, const Packet& packet);

/// The number of the listener that takes it; none: nobody. Interception comes before `bind`, the first that fits wins;
/// one that is not sure counts only where none is.
std::optional<std::size_t> choose(const std::vector<intake::ListenerSettings>& listeners, const std::vector<Fit>& fits);

std::string text_of(const netfilter::PortRange& range);

} // namespace gw::ctl
