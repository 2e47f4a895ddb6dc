#include "gateway/session/log_writer.h"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <unistd.h>

namespace gw::session {

namespace {

constexpr std::size_t max_waiting_bytes = 16 * 1024 * 1024;
constexpr std::size_t max_recent_bytes = 4 * 1024 * 1024;
constexpr std::size_t max_recent_records = 10'000;

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

void LogWriter::put(std::string lines, std::string records)
{
    {
        const std::lock_guard lock{mutex_};
        if (waiting_bytes_ + lines.size() > max_waiting_bytes) {
            ++dropped_;
            return;
        }
        waiting_bytes_ += lines.size() + records.size();
        waiting_.emplace_back(std::move(lines), std::move(records));
    }
    wake_.notify_one();
}

LogWriter::Recent LogWriter::recent(std::uint64_t after, std::size_t limit) const
{
    const std::lock_guard lock{mutex_};
    Recent answer;
    answer.next = next_;
    answer.dropped = dropped_;
    const auto first = next_ - recent_.size();
    auto from = std::clamp(after, first, next_);
    if (next_ - from > limit) from = next_ - limit;
    for (auto i = from; i < next_; ++i) answer.records.push_back(recent_[i - first]);
    return answer;
}

void LogWriter::keep(std::string_view records)
{
    while (!records.empty()) {
        const auto end = std::min(records.find('\n'), records.size());
        recent_.emplace_back(records.substr(0, end));
        recent_bytes_ += end;
        ++next_;
        records.remove_prefix(std::min(end + 1, records.size()));
        while (recent_bytes_ > max_recent_bytes || recent_.size() > max_recent_records) {
            recent_bytes_ -= recent_.front().size();
            recent_.pop_front();
        }
    }
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
        auto [lines, records] = std::move(waiting_.front());
        waiting_.pop_front();
        keep(records);
        const int descriptor = file_.is_open() ? ::dup(file_.number()) : ::dup(STDOUT_FILENO);
        lock.unlock();
        if (!lines.empty() && descriptor >= 0) write_out(descriptor, lines);
        if (descriptor >= 0) ::close(descriptor);
        lock.lock();
        waiting_bytes_ -= lines.size() + records.size();
    }
}

} // namespace gw::session
