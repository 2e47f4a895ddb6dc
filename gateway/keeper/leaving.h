#pragma once

#include "gateway/base/task.h"
#include "gateway/keeper/sockets.h"

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <vector>

namespace gw::keeper {

/// Listening sockets whose time is over. Who is in the queue of one that is closed gets a reset, although he is
/// connected. So nobody new begins there first, and who has begun comes into the queue; then the data process takes all
/// of them out of it, and only then it is closed. Looks at the sockets of who made it: not to outlive those.
class Leaving {
public:
    /// Those of `held` whose index is not in `kept`; none of UDP.
    Leaving(const HeldSockets& held, const std::vector<std::size_t>& kept);

    /// A SYN gets no answer from now on, and comes again a second later. Returns when no handshake is under way on this
    /// host any more, at the latest after `limit`: clients may be as far away, or there may be many of them.
    Task<void> let_nobody_begin(asio::io_context& io, std::chrono::milliseconds limit) const;
    /// They stay after all.
    void let_begin_again() const;

private:
    void set(bool anybody_may_begin) const;

    std::vector<int> sockets_;
};

} // namespace gw::keeper
