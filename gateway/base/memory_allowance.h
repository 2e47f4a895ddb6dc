#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace gw {

/// Bytes that what grows with a client's will, such as bodies held for inspection, may still take until somebody looks
/// at the process's memory again. From any thread.
class MemoryAllowance {
public:
    /// False: not that many are left, and none are taken. They are not given back: the next look sees what is in use.
    /// Each refusal counts.
    bool take(std::size_t bytes) noexcept
    {
        const auto count = static_cast<std::int64_t>(bytes);
        if (left_.fetch_sub(count, std::memory_order_relaxed) >= count) return true;
        left_.fetch_add(count, std::memory_order_relaxed);
        refusals_.fetch_add(1, std::memory_order_relaxed);
        return false;
    }
    /// How many from now on.
    void set(std::int64_t bytes) noexcept { left_.store(bytes, std::memory_order_relaxed); }

    std::uint64_t refusals() const noexcept { return refusals_.load(std::memory_order_relaxed); }

    static constexpr std::int64_t unlimited = INT64_MAX / 2;

private:
    std::atomic<std::int64_t> left_{unlimited};
    std::atomic<std::uint64_t> refusals_{0};
};

} // namespace gw
