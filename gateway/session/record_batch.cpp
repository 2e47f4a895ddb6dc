#include "gateway/session/record_batch.h"

#include <chrono>
#include <utility>

namespace gw::session {

namespace {

using namespace std::chrono_literals;

constexpr auto longest_wait = 100ms;
constexpr std::size_t most_bytes = 64 * 1024;
constexpr std::size_t longest_usual = 4 * 1024; // of one record

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
    if (batch_.records.size() >= most_bytes)
        flush();
    else if (due_.at() == Deadline::Clock::time_point::max())
        due_.expire_after(longest_wait);
}

void RecordBatch::tell_suppressed()
{
    const auto untold = limit_.take();
    if (!untold) return;
    append([&](std::string& out) { append_json_line(out, *untold, worker_); },
           [&](std::string& out) { append_human_line(out, *untold, worker_); });
}

void RecordBatch::finish()
{
    tell_suppressed();
    flush();
}

/// Who fills one batch fills the next one, too.
void RecordBatch::flush()
{
    if (batch_.count == 0) return;
    const auto format = batch_.format;
    const bool full = batch_.records.size() >= most_bytes;
    log_.put(std::exchange(batch_, {}));
    batch_.format = format;
    if (full) batch_.records.reserve(most_bytes + longest_usual);
}

} // namespace gw::session
