#include "gateway/session/gate.h"

#include <cstring>
#include <random>

namespace gw::session {

namespace {

/// The finaliser of splitmix64.
std::uint64_t mixed(std::uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31);
}

/// Nobody outside can choose addresses that fall together.
std::uint64_t secret()
{
    static const std::uint64_t drawn = [] {
        std::random_device random;
        return (std::uint64_t{random()} << 32) | random();
    }();
    return drawn;
}

} // namespace

std::string_view name_of(TurnedAway reason)
{
    switch (reason) {
    case TurnedAway::connections: return "connections";
    case TurnedAway::per_client: return "per_client";
    case TurnedAway::listener_connections: return "listener_connections";
    case TurnedAway::listener_per_client: return "listener_per_client";
    case TurnedAway::memory: return "memory";
    }
    return "connections";
}

Gate::Gate(std::size_t limit) : limit_(limit) {}

Gate::Listener& Gate::listener(std::string_view name)
{
    const std::lock_guard lock{listeners_mutex_};
    const auto found = listeners_.find(name);
    if (found != listeners_.end()) return found->second;
    auto& made = listeners_[std::string{name}];
    made.number = static_cast<std::uint32_t>(listeners_.size());
    return made;
}

Gate::Key Gate::key_of(const Address& client, std::uint32_t scope)
{
    Key key{0, scope, client.is_v6()};
    // One who has an IPv6 address has 2^64 of them.
    std::memcpy(&key.network, client.data(), client.is_v6() ? 8 : 4);
    return key;
}

std::size_t Gate::Hash::operator()(const Key& key) const
{
    return mixed(mixed(key.network ^ secret()) + (std::uint64_t{key.scope} << 1) + (key.v6 ? 1 : 0));
}

bool Gate::enter_client(const Key& key, std::size_t limit)
{
    auto& shard = shard_of(key);
    const std::lock_guard lock{shard.mutex};
    const auto found = shard.counts.find(key);
    if (found == shard.counts.end()) {
        shard.counts.emplace(key, 1U);
        return true;
    }
    if (found->second >= limit) return false;
    ++found->second;
    return true;
}

void Gate::leave_client(const Key& key)
{
    auto& shard = shard_of(key);
    const std::lock_guard lock{shard.mutex};
    const auto found = shard.counts.find(key);
    if (found != shard.counts.end() && --found->second == 0) shard.counts.erase(found);
}

std::size_t Gate::clients() const
{
    std::size_t sum = 0;
    for (const auto& shard : shards_) {
        const std::lock_guard lock{shard.mutex};
        sum += shard.counts.size();
    }
    return sum;
}

void Gate::leave(const Pass& pass)
{
    if (pass.by_listener_and_client_) leave_client(key_of(pass.client_, pass.listener_->number));
    if (pass.by_client_) leave_client(key_of(pass.client_, pass.everywhere_));
    if (pass.listener_ != nullptr) pass.listener_->inside.fetch_sub(1, std::memory_order_relaxed);
    if (pass.everywhere_ == all_connections) inside_.fetch_sub(1, std::memory_order_relaxed);
}

std::variant<Gate::Pass, TurnedAway> Gate::enter_unnamed(Listener& listener, const Caps& of_listener)
{
    if (shedding_.load(std::memory_order_relaxed)) return TurnedAway::memory;
    // Counted first and given back by the pass: whatever happens at the same time, nobody is let in past a limit.
    const auto others = inside_.fetch_add(1, std::memory_order_relaxed);
    const auto others_there = listener.inside.fetch_add(1, std::memory_order_relaxed);
    Pass pass{*this, listener};
    if (others >= limit_.load(std::memory_order_relaxed)) return TurnedAway::connections;
    if (of_listener.connections != 0 && others_there >= of_listener.connections)
        return TurnedAway::listener_connections;
    return pass;
}

std::optional<TurnedAway> Gate::name(Pass& pass, const Caps& of_listener, const Address& client)
{
    pass.client_ = client;
    if (const auto limit = per_client_.load(std::memory_order_relaxed); limit != 0) {
        pass.by_client_ = enter_client(key_of(client, pass.everywhere_), limit);
        if (!pass.by_client_) return TurnedAway::per_client;
    }
    if (of_listener.per_client != 0) {
        const auto key = key_of(client, pass.listener_->number);
        pass.by_listener_and_client_ = enter_client(key, of_listener.per_client);
        if (!pass.by_listener_and_client_) return TurnedAway::listener_per_client;
    }
    return std::nullopt;
}

std::variant<Gate::Pass, TurnedAway> Gate::enter(Listener& listener, const Caps& of_listener, const Address& client)
{
    auto entered = enter_unnamed(listener, of_listener);
    auto* pass = std::get_if<Pass>(&entered);
    if (pass == nullptr) return entered;
    if (const auto reason = name(*pass, of_listener, client)) return *reason;
    return entered;
}

std::variant<Gate::Pass, TurnedAway> Gate::enter_flow(Listener& listener, const Caps& of_listener,
                                                      const Address& client)
{
    if (shedding_.load(std::memory_order_relaxed)) return TurnedAway::memory;
    const auto others_there = listener.inside.fetch_add(1, std::memory_order_relaxed);
    Pass pass{*this, listener};
    pass.everywhere_ = all_flows;
    if (of_listener.connections != 0 && others_there >= of_listener.connections)
        return TurnedAway::listener_connections;
    if (const auto reason = name(pass, of_listener, client)) return *reason;
    return pass;
}

} // namespace gw::session
