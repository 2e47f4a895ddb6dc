#include "gateway/keeper/port_sharing.h"

#include "gateway/base/log.h"
#include "netfilter/tcp_sockets.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <set>
#include <sys/stat.h>

namespace gw::keeper {

namespace {

constexpr std::chrono::milliseconds ask_again{20};

std::set<std::uint64_t> inodes_of(const HeldSockets& held)
{
    std::set<std::uint64_t> inodes;
    for (const auto& socket : held) {
        struct stat status {};
        if (::fstat(socket.socket.number(), &status) == 0) inodes.insert(status.st_ino);
    }
    return inodes;
}

/// What listeners are to bind anew, at ports that the configuration names.
std::vector<netfilter::ListeningSocket> missing(const HeldSockets& held,
                                                const std::vector<intake::ListenerSettings>& listeners)
{
    std::vector<netfilter::ListeningSocket> all;
    for (const auto& listener : listeners) {
        const auto rest = unserved(held, listener);
        if (!rest || !rest->binds()) continue;
        for (const auto& at : rest->bind)
            if (at.port != 0) all.push_back({at, 0, 0, rest->serves_both_families(at)});
    }
    return all;
}

/// Where somebody else listens already. What cannot be read is nobody's: `bind` has the last word.
std::optional<Endpoint> taken(const HeldSockets& held, const std::vector<netfilter::ListeningSocket>& wanted)
{
    const auto listening = netfilter::listening_sockets();
    if (!listening) return std::nullopt;
    const auto own = inodes_of(held);
    for (const auto& socket : *listening) {
        if (own.contains(socket.inode)) continue;
        const auto same = [&](const netfilter::ListeningSocket& one) { return netfilter::overlap(one, socket); };
        const auto found = std::find_if(wanted.begin(), wanted.end(), same);
        if (found != wanted.end()) return found->at;
    }
    return std::nullopt;
}

} // namespace

Task<Result<SocketChange>> open_when_free(asio::io_context& io, const HeldSockets& held,
                                          const config::Settings& settings, std::size_t workers,
                                          std::function<void()> before_waiting)
{
    const auto until = std::chrono::steady_clock::now() + port_patience;
    const auto wanted = missing(held, settings.listeners);
    auto other = wanted.empty() ? std::nullopt : taken(held, wanted);
    if (other) {
        before_waiting();
        log::info("waiting for " + other->text() + ", where another program listens");
    }
    asio::steady_timer pause{io};
    for (; other; other = taken(held, wanted)) {
        if (std::chrono::steady_clock::now() >= until) co_return intake::address_in_use(*other);
        pause.expires_after(ask_again);
        auto outcome = co_await pause.async_wait(as_outcome);
        (void)outcome;
    }
    co_return open_missing(held, settings.listeners, workers, settings.intake, settings.netfilter.own_mark);
}

} // namespace gw::keeper
