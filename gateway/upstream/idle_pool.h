#pragma once

#include "gateway/upstream/dialer.h"
#include "gateway/upstream/settings.h"

#include <unordered_map>
#include <vector>

namespace gw::upstream {

/// Connections that wait for their next use, of one worker. Bounded, in all and by target; the longest idle goes first,
/// and each after `idle_limit`. The newest is used first, so that a pool shrinks when the load does.
class IdlePool {
public:
    explicit IdlePool(const Settings& settings) : settings_(settings) {}
    ~IdlePool();
    IdlePool(const IdlePool&) = delete;
    IdlePool& operator=(const IdlePool&) = delete;

    /// The one used last, or null. One that the upstream has closed, or sent something unasked on, is closed here and
    /// the next one tried: late bytes of one exchange must not become the answer to another.
    ConnectionPtr take(const Target& target);
    /// New limits; those that wait already wait no longer than the new one.
    void renew(const Settings& settings);
    void put(ConnectionPtr connection);
    std::size_t size() const { return size_; }
    void clear();

private:
    friend struct Connection;
    ConnectionPtr unlink(Connection& connection);

    Settings settings_;
    std::unordered_map<std::size_t, std::vector<ConnectionPtr>> idle_; // by hash of the target, newest last
    Connection* oldest_ = nullptr;
    Connection* newest_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace gw::upstream
