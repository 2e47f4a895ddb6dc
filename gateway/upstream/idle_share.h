#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace gw::upstream {

class IdlePool;

/// Where the workers' pools find each other: who has nothing idle for a target takes what another one keeps. It must
/// outlive them. A worker alone shares nothing, and pays for nothing.
class IdleShare {
public:
    /// One worker's place. What its pool holds is touched with the mutex only, which nobody but its worker waits for.
    class alignas(64) Place {
    public:
        /// Whether there is one of that hash, or of one that looks like it; it may be gone by the time it is asked for.
        bool may_keep(std::size_t hash) const
        {
            return kept_[hash % kept_.size()].load(std::memory_order_relaxed) != 0;
        }

    private:
        friend class IdlePool;
        /// One more, or one less. Under the mutex.
        void count(std::size_t hash, std::int32_t change)
        {
            auto& kept = kept_[hash % kept_.size()];
            kept.store(kept.load(std::memory_order_relaxed) + static_cast<std::uint32_t>(change),
                       std::memory_order_relaxed);
        }

        std::mutex mutex_;
        IdlePool* pool_ = nullptr; // null: not yet, or no more
        alignas(64) std::array<std::atomic<std::uint32_t>, 64> kept_{};
    };

    explicit IdleShare(std::size_t workers) : places_(workers) {}
    std::size_t size() const { return places_.size(); }
    Place& place(std::size_t worker) { return places_[worker]; }

private:
    std::vector<Place> places_;
};

} // namespace gw::upstream
