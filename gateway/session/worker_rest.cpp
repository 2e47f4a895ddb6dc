#include "gateway/session/worker.h"

#include "gateway/base/heap.h"

#include <algorithm>

// Connections whose clients have asked nothing for a while.

namespace gw::session {

namespace {

using namespace std::chrono_literals;

// So many connections that begin to rest have freed some hundred KiB; the next ones may as well.
constexpr std::size_t worth_giving_back = 256;
constexpr auto memory_pause = 1s;
constexpr auto longest_memory_pause = 30s;

} // namespace

/// Without its coroutines, which are most of what a connection takes that waits.
void Worker::let_rest(SessionPtr session)
{
    auto& resting = *session;
    if (resting.must_end()) return;
    note_rest();
    // It lies within the session: were it to own that, it would be destroyed after where it lies.
    auto again = [this, waiting = session.release()](boost::system::error_code ended) {
        SessionPtr asked{waiting, {&sessions_}};
        if (!ended) serve(std::move(asked));
    };
    if (!resting.when_asked(again)) again({});
}

/// Memory is given back after the last of many, but in time though there is always another one.
void Worker::note_rest()
{
    ++counters_.rested;
    if (++at_rest_ < worth_giving_back) return;
    const auto now = std::chrono::steady_clock::now();
    if (at_rest_ == worth_giving_back) give_back_until_ = now + longest_memory_pause;
    give_back_memory_.expire_at(std::min(now + memory_pause, give_back_until_));
}

void Worker::Ended::operator()(Session* session) const noexcept
{
    session->~Session();
    sessions->give_back(session);
}

void Worker::give_back_memory() noexcept
{
    if (give_back_free_memory())
        at_rest_ = 0;
    else
        give_back_memory_.expire_after(memory_pause);
}

} // namespace gw::session
