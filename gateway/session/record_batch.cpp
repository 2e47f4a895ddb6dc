#include "gateway/session/record_batch.h"

#include <chrono>
#include <utility>

namespace gw::session {

namespace {

using namespace std::chrono_literals;

constexpr auto longest_wait = 100ms;
constexpr std::size_t most_bytes = 64 * 1024;

} // namespace

RecordBatch::RecordBatch(LogWriter& log, DeadlineWheel& wheel)
    : log_(log), due_(
                     wheel, [](void* self) noexcept { static_cast<RecordBatch*>(self)->flush(); }, this)
{}

void RecordBatch::hand_over_in_time()
{
    if (records_.size() >= most_bytes)
        flush();
    else if (due_.at() == Deadline::Clock::time_point::max())
        due_.expire_after(longest_wait);
}

void RecordBatch::flush()
{
    if (records_.empty()) return;
    log_.put(std::move(lines_), std::move(records_));
    lines_.clear();
    records_.clear();
}

} // namespace gw::session
