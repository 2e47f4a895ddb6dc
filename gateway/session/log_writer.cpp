#include "gateway/session/log_writer.h"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace gw::session {

namespace {

constexpr std::size_t max_waiting_bytes = 16 * 1024 * 1024;
constexpr std::size_t max_recent_bytes = 4 * 1024 * 1024;
constexpr std::size_t max_recent_records = 10'000;

std::size_t bytes_of(const LogWriter::Batch& batch) { return batch.records.size() + batch.lines.size(); }

/// Those after the first `skipped`, without their line breaks.
void append_lines(std::string_view text, std::size_t skipped, std::vector<std::string>& into)
{
    while (!text.empty()) {
        const auto end = text.find('\n');
        if (skipped > 0)
            --skipped;
        else
            into.emplace_back(text.substr(0, end));
        text.remove_prefix(end + 1);
    }
}

} // namespace

LogWriter::LogWriter() : thread_([this] { run(); }) {}

void LogWriter::finish()
{
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void LogWriter::send_to(const AccessLog& access, Descriptor file)
{
    const std::lock_guard lock{mutex_};
    access_ = access;
    file_ = std::move(file);
}

void LogWriter::put(Batch batch)
{
    const auto size = bytes_of(batch);
    {
        const std::lock_guard lock{mutex_};
        if (waiting_bytes_ + size > max_waiting_bytes) {
            ++dropped_;
            return;
        }
        waiting_bytes_ += size;
        waiting_.push_back(std::move(batch));
    }
    wake_.notify_one();
}

LogWriter::Recent LogWriter::recent(std::uint64_t after, std::size_t limit) const
{
    const std::lock_guard lock{mutex_};
    Recent answer;
    answer.next = next_;
    answer.dropped = dropped_;
    auto number = next_ - recent_count_;
    auto from = std::clamp(after, number, next_);
    if (next_ - from > limit) from = next_ - limit;
    for (const Batch& batch : recent_) {
        if (number + batch.count > from) append_lines(batch.records, from > number ? from - number : 0, answer.records);
        number += batch.count;
    }
    return answer;
}

/// The oldest go, a batch at a time; the newest stays whatever its size.
const LogWriter::Batch& LogWriter::keep(Batch batch)
{
    next_ += batch.count;
    recent_count_ += batch.count;
    recent_bytes_ += batch.records.size();
    recent_.push_back(std::move(batch));
    while (recent_.size() > 1 && (recent_bytes_ > max_recent_bytes || recent_count_ > max_recent_records)) {
        recent_count_ -= recent_.front().count;
        recent_bytes_ -= recent_.front().records.size();
        recent_.pop_front();
    }
    return recent_.back();
}

void LogWriter::write_out(int descriptor, std::string_view lines)
{
    while (!lines.empty()) {
        const auto count = ::write(descriptor, lines.data(), lines.size());
        if (count > 0) {
            lines.remove_prefix(static_cast<std::size_t>(count));
        } else if (errno == EAGAIN) {
            pollfd ready{descriptor, POLLOUT, 0};
            ::poll(&ready, 1, 1000);
        } else if (errno != EINTR) {
            return; // a full disk or a reader that has gone must not end the gateway
        }
    }
}

void LogWriter::run()
{
    std::unique_lock lock{mutex_};
    for (;;) {
        wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        auto batch = std::move(waiting_.front());
        waiting_.pop_front();
        const auto size = bytes_of(batch);
        const auto human = std::exchange(batch.lines, {});
        const Batch& kept = keep(std::move(batch));
        const int descriptor = file_.is_open() ? ::dup(file_.number()) : ::dup(STDOUT_FILENO);
        lock.unlock();
        if (descriptor >= 0) {
            if (kept.format == AccessLog::Format::json) write_out(descriptor, kept.records);
            if (kept.format == AccessLog::Format::human) write_out(descriptor, human);
            ::close(descriptor);
        }
        lock.lock();
        waiting_bytes_ -= size;
    }
}

} // namespace gw::session
