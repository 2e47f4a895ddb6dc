#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>

namespace gw::session {

/// Counts the connections under way, over all workers, and lets no more in than the limit. The drain of a stopping
/// process waits until it is empty.
class Gate {
public:
    explicit Gate(std::size_t limit) : limit_(limit) {}

    class Pass {
    public:
        explicit Pass(Gate& gate) : gate_(&gate) {}
        Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
        Pass& operator=(Pass&&) = delete;
        ~Pass()
        {
            if (gate_ != nullptr) gate_->inside_.fetch_sub(1, std::memory_order_relaxed);
        }

    private:
        Gate* gate_;
    };

    /// None when it is full.
    std::optional<Pass> enter()
    {
        if (inside_.fetch_add(1, std::memory_order_relaxed) >= limit_.load(std::memory_order_relaxed)) {
            inside_.fetch_sub(1, std::memory_order_relaxed);
            return std::nullopt;
        }
        return std::optional<Pass>{std::in_place, *this};
    }
    std::size_t inside() const { return inside_.load(std::memory_order_relaxed); }
    void set_limit(std::size_t limit) { limit_.store(limit, std::memory_order_relaxed); }

private:
    std::atomic<std::size_t> inside_{0};
    std::atomic<std::size_t> limit_;
};

} // namespace gw::session
