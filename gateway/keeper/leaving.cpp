#include "gateway/keeper/leaving.h"

#include "gateway/base/log.h"
#include "netfilter/tcp_sockets.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>

namespace gw::keeper {

namespace {

constexpr std::chrono::milliseconds look_again{10};

} // namespace

Leaving::Leaving(const HeldSockets& held, const std::vector<std::size_t>& kept)
{
    for (std::size_t i = 0; i < held.size(); ++i)
        if (!held[i].datagrams && std::find(kept.begin(), kept.end(), i) == kept.end())
            sockets_.push_back(held[i].socket.number());
}

Task<void> Leaving::let_nobody_begin(asio::io_context& io, std::chrono::milliseconds limit) const
{
    if (sockets_.empty()) co_return;
    set(false);
    const auto until = std::chrono::steady_clock::now() + limit;
    asio::steady_timer pause{io};
    // What cannot be seen may be there.
    for (auto under_way = netfilter::handshakes_under_way(); !under_way || *under_way > 0;
         under_way = netfilter::handshakes_under_way()) {
        if (std::chrono::steady_clock::now() >= until) co_return;
        pause.expires_after(look_again);
        auto outcome = co_await pause.async_wait(as_outcome);
        (void)outcome;
    }
}

void Leaving::let_begin_again() const { set(true); }

void Leaving::set(bool anybody_may_begin) const
{
    for (const int socket : sockets_)
        if (const auto done = intake::let_begin(socket, anybody_may_begin); !done)
            log::debug("a listening socket that is to be closed: " + describe(done.error()));
}

} // namespace gw::keeper
