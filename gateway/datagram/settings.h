#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace gw::datagram {

/// UDP has no end that can be seen, so a flow ends when it has been quiet for a while.
struct Settings {
    std::chrono::milliseconds unanswered_limit{30'000}; ///< since the client's last datagram, while nothing came back
    std::chrono::milliseconds idle_limit{120'000};      ///< since the last datagram either way, once something did
    std::chrono::milliseconds dns_idle_limit{5'000};    ///< the same towards port 53
    std::size_t flows = 20'000;                         ///< at once, of one worker; one more ends the quietest
    std::size_t reply_sockets = 4'096;                  ///< kept open, of one worker, one for each port
    std::uint32_t own_mark = 0x02000000;                ///< as in netfilter's settings
};

} // namespace gw::datagram
