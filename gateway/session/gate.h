#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/base/memory_allowance.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>

namespace gw::session {

/// Why a connection was not taken. The order is that of `Counters`.
enum class TurnedAway {
    connections,          ///< limits.connections, or what the descriptors allow
    per_client,           ///< limits.per_client
    listener_connections, ///< limits.connections of the listener
    listener_per_client,  ///< limits.per_client of the listener
    memory,               ///< limits.memory is nearly used up
};
inline constexpr std::size_t turned_away_reasons = 5;
std::string_view name_of(TurnedAway reason);

/// How many connections at once. 0: no limit.
struct Caps {
    std::size_t connections = 0;
    std::size_t per_client = 0;
};

/// Counts the connections under way, over all workers: all of them, by listener, and by client; lets no more in than
/// the limits, exactly. A client is an IPv4 address or the /64 of an IPv6 address. What is kept for a client goes with
/// its last connection, so the memory is bounded by the connections. The drain of a stopping process waits until it is
/// empty, and does not wait for flows of UDP, which are counted beside: their clients and listeners have the same
/// limits for them once more. For any thread.
class Gate {
public:
    explicit Gate(std::size_t limit);
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;

    /// A listener's count. One for each name; stays as long as the gate.
    struct Listener {
        std::uint32_t number = 0;
        std::atomic<std::size_t> inside{0}; // connections, or flows
    };
    Listener& listener(std::string_view name);

private:
    struct Key {
        std::uint64_t network = 0;
        std::uint32_t scope = 0; // everywhere, or the number of a listener
        bool v6 = false;
        friend bool operator==(const Key&, const Key&) = default;
    };
    static constexpr std::uint32_t all_connections = 0;
    static constexpr std::uint32_t all_flows = ~std::uint32_t{0};
    static Key key_of(const Address& client, std::uint32_t scope);

public:
    class Pass {
    public:
        Pass(Pass&& other) noexcept
            : gate_(std::exchange(other.gate_, nullptr)), listener_(other.listener_), client_(other.client_),
              everywhere_(other.everywhere_), by_client_(other.by_client_),
              by_listener_and_client_(other.by_listener_and_client_)
        {}
        Pass& operator=(Pass&&) = delete;
        ~Pass()
        {
            if (gate_ != nullptr) gate_->leave(*this);
        }

    private:
        friend class Gate;
        Pass(Gate& gate, Listener& listener) : gate_(&gate), listener_(&listener) {}
        explicit Pass(Gate& gate) : gate_(&gate) {}
        Gate* gate_;
        Listener* listener_ = nullptr;
        Address client_;
        std::uint32_t everywhere_ = all_connections; // of what kind it is
        bool by_client_ = false;
        bool by_listener_and_client_ = false;
    };

    std::variant<Pass, TurnedAway> enter(Listener& listener, const Caps& of_listener, const Address& client);
    /// The same of one whose client is not known yet, because who dialled only introduces him.
    std::variant<Pass, TurnedAway> enter_unnamed(Listener& listener, const Caps& of_listener);
    /// And now he is. Once a pass. None: he may stay.
    std::optional<TurnedAway> name(Pass& pass, const Caps& of_listener, const Address& client);

    /// A flow of UDP. Of the limits that hold everywhere, only that of a client is for it.
    std::variant<Pass, TurnedAway> enter_flow(Listener& listener, const Caps& of_listener, const Address& client);

    /// Counts as one that is under way, whatever the limits: a drain waits for it.
    Pass hold()
    {
        inside_.fetch_add(1, std::memory_order_relaxed);
        return Pass{*this};
    }

    std::size_t inside() const { return inside_.load(std::memory_order_relaxed); }
    std::size_t limit() const { return limit_.load(std::memory_order_relaxed); }
    void set_limits(const Caps& everywhere)
    {
        limit_.store(everywhere.connections, std::memory_order_relaxed);
        per_client_.store(everywhere.per_client, std::memory_order_relaxed);
    }
    /// True: the memory is nearly used up, nobody is let in.
    void set_shedding(bool shedding) { shedding_.store(shedding, std::memory_order_relaxed); }
    const std::atomic<bool>& shedding() const { return shedding_; }
    /// What bodies may still take before the next look.
    MemoryAllowance& memory() { return memory_; }
    /// Clients that are counted right now.
    std::size_t clients() const;

private:
    struct Hash {
        std::size_t operator()(const Key& key) const;
    };
    struct Shard {
        mutable std::mutex mutex;
        std::unordered_map<Key, std::uint32_t, Hash> counts;
    };
    bool enter_client(const Key& key, std::size_t limit);
    void leave_client(const Key& key);
    void leave(const Pass& pass);
    Shard& shard_of(const Key& key) { return shards_[Hash{}(key) % shards_.size()]; }

    std::atomic<std::size_t> inside_{0};
    std::atomic<std::size_t> limit_;
    std::atomic<std::size_t> per_client_{0};
    std::atomic<bool> shedding_{false};
    MemoryAllowance memory_;
    std::mutex listeners_mutex_;
    std::map<std::string, Listener, std::less<>> listeners_;
    std::array<Shard, 64> shards_;
};

} // namespace gw::session
