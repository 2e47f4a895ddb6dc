#include "gateway/session/record_batch.h"

#include <chrono>
#include <utility>

namespace gw::session {

namespace {

using namespace std::chrono_literals;

constexpr auto longest_wait = 100ms;
constexpr std::size_t most_bytes = 64 * 1024;

} // namespace

RecordBatch::RecordBatch(std::size_t worker, LogWriter& log, DeadlineWheel& wheel)
    : worker_(worker), log_(log),
      due_(
          wheel, [](void* self) noexcept { static_cast<RecordBatch*>(self)->flush(); }, this),
      suppressed_due_(
          wheel, [](void* self) noexcept { static_cast<RecordBatch*>(self)->tell_suppressed(); }, this)
{}

void RecordBatch::hand_over_in_time()
{
    if (records_.size() >= most_bytes)
        flush();
    else if (due_.at() == Deadline::Clock::time_point::max())
        due_.expire_after(longest_wait);
}

void RecordBatch::tell_suppressed()
{
    const auto untold = limit_.take();
    if (!untold) return;
    append(
        format_, [&](std::string& out) { append_json_line(out, *untold, worker_); },
        [&](std::string& out) { append_human_line(out, *untold, worker_); });
}

void RecordBatch::finish()
{
    tell_suppressed();
    flush();
}

void RecordBatch::flush()
{
    if (records_.empty()) return;
    log_.put(std::move(lines_), std::move(records_));
    lines_.clear();
    records_.clear();
}

} // namespace gw::session
