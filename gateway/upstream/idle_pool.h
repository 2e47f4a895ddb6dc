#pragma once

#include "gateway/upstream/dialer.h"
#include "gateway/upstream/idle_share.h"
#include "gateway/upstream/settings.h"

#include <mutex>
#include <unordered_map>
#include <vector>

namespace gw::upstream {

/// Connections that wait for their next use, of one worker. Bounded, in all and by target; the longest idle goes first,
/// and each after `idle_limit`. The newest is used first, so that a pool shrinks when the load does.
///
/// Other workers may take over what waits here. They call `hand_over` only, under the mutex of the pool's place, and
/// leave alone what belongs to this thread: deadlines and the poller's slot. These stay behind until it comes by.
class IdlePool {
public:
    IdlePool(const Settings& settings, IdleShare& share, std::size_t worker);
    ~IdlePool();
    IdlePool(const IdlePool&) = delete;
    IdlePool& operator=(const IdlePool&) = delete;

    /// The one used last, or null. One that the upstream has closed, or sent something unasked on, is closed here and
    /// the next one tried: late bytes of one exchange must not become the answer to another.
    ConnectionPtr take(const Target& target);
    /// The same of another worker's, ours from now on; null, too, when they are busy just then. Over TLS only one that
    /// was accepted by `accepts`: the other may be of an earlier configuration still.
    ConnectionPtr take_over(const Target& target, const tls::DialContext* accepts, DeadlineWheel& wheel);
    /// New limits; those that wait already wait no longer than the new one.
    void renew(const Settings& settings);
    void put(ConnectionPtr connection);
    std::size_t size() const;
    void clear();
    /// How often `take_over` gave one.
    std::uint64_t taken_over() const { return taken_over_; }

private:
    friend struct Connection;
    std::unique_lock<std::mutex> hold() const;
    ConnectionPtr take_newest(std::size_t hash, const Target& target);
    ConnectionPtr hand_over(std::size_t hash, const Target& target, const tls::DialContext* accepts,
                            DeadlineWheel& wheel);
    void expired(Connection& connection);
    ConnectionPtr* newest_of(std::size_t hash, const Target& target);
    ConnectionPtr take_out(Connection& connection);
    ConnectionPtr unlink(Connection& connection);

    IdleShare* share_;        // null: a worker alone
    IdleShare::Place* place_; // the same
    std::size_t worker_;
    Settings settings_;
    std::unordered_map<std::size_t, std::vector<ConnectionPtr>> idle_; // by hash of the target, newest last
    std::vector<ConnectionPtr> remains_;                               // of those that others have taken over
    Connection* oldest_ = nullptr;
    Connection* newest_ = nullptr;
    std::size_t size_ = 0;
    std::uint64_t taken_over_ = 0;
};

} // namespace gw::upstream
