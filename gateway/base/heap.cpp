#include "gateway/base/heap.h"

#include <atomic>
#include <chrono>
#include <malloc.h>

namespace gw {

namespace {

using Clock = std::chrono::steady_clock;
constexpr Clock::duration pause = std::chrono::seconds{5};
std::atomic<Clock::rep> next{Clock::time_point::min().time_since_epoch().count()};

} // namespace

bool give_back_free_memory(Memory memory) noexcept
{
    const auto now = Clock::now().time_since_epoch().count();
    auto earliest = next.load(std::memory_order_relaxed);
    if (now < earliest && memory == Memory::is_there) return false;
    if (!next.compare_exchange_strong(earliest, now + pause.count())) return false; // another thread is about to
    ::malloc_trim(0);
    return true;
}

} // namespace gw
