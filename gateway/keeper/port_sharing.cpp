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

void add_inodes_of(const HeldSockets& sockets, std::set<std::uint64_t>& inodes)
{
    for (const auto& socket : sockets) {
        struct stat status {};
        if (::fstat(socket.socket.number(), &status) == 0) inodes.insert(status.st_ino);
    }
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
            if (at.port != 0) all.push_back({at, 0, 0, listener.serves_both_families(at)});
    }
    return all;
}

/// Where somebody else listens already. What cannot be read is nobody's: `bind` has the last word.
std::optional<Error> taken(const std::vector<netfilter::ListeningSocket>& wanted, const HeldSockets& held,
                           const HeldSockets& opened = {})
{
    if (wanted.empty()) return std::nullopt;
    const auto listening = netfilter::listening_sockets();
    if (!listening) return std::nullopt;
    std::set<std::uint64_t> own;
    add_inodes_of(held, own);
    add_inodes_of(opened, own);
    for (const auto& socket : *listening) {
        if (own.contains(socket.inode)) continue;
        const auto same = [&](const netfilter::ListeningSocket& one) { return netfilter::overlap(one, socket); };
        const auto found = std::find_if(wanted.begin(), wanted.end(), same);
        if (found == wanted.end()) continue;
        auto error = intake::address_in_use(socket.at);
        if (found->at != socket.at) error.what = found->at.text() + ": " + error.what;
        return error;
    }
    return std::nullopt;
}

} // namespace

Task<Result<SocketChange>> open_when_free(asio::io_context& io, const HeldSockets& held,
                                          const config::Settings& settings, std::size_t workers,
                                          std::chrono::milliseconds patience, std::function<void()> before_waiting)
{
    const auto until = std::chrono::steady_clock::now() + patience;
    const auto wanted = missing(held, settings.listeners);
    auto other = taken(wanted, held);
    if (other && patience.count() > 0) {
        before_waiting();
        log::info("waiting: " + other->what);
    }
    asio::steady_timer pause{io};
    for (; other; other = taken(wanted, held)) {
        if (std::chrono::steady_clock::now() >= until) co_return std::move(*other);
        pause.expires_after(ask_again);
        auto outcome = co_await pause.async_wait(as_outcome);
        (void)outcome;
    }
    auto change = open_missing(held, settings.listeners, workers, settings.intake, settings.netfilter.own_mark);
    // Once more: two that start in the same moment have both found nobody.
    if (change) other = taken(wanted, held, change->opened);
    if (other) co_return std::move(*other);
    co_return change;
}

} // namespace gw::keeper
