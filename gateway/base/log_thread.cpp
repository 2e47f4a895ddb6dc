#include "gateway/base/log_thread.h"

#include "gateway/base/thread.h"

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <poll.h>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace gw::log {

struct LineWriter::State {
    int descriptor = -1;
    Lost lost;
    std::mutex mutex;
    std::condition_variable wake;
    std::condition_variable ended;
    std::deque<std::string> waiting;
    std::size_t waiting_bytes = 0; // with the one that is being written
    std::uint64_t lost_count = 0;  // since the last line that was taken
    bool stopping = false;
    bool has_ended = false;

    void run();
    void note_lost();
};

namespace {

void write_out(int descriptor, std::string_view line)
{
    while (!line.empty()) {
        const auto count = ::write(descriptor, line.data(), line.size());
        if (count > 0) {
            line.remove_prefix(static_cast<std::size_t>(count));
        } else if (count < 0 && errno == EAGAIN) { // somebody else has made it so
            pollfd ready{descriptor, POLLOUT, 0};
            ::poll(&ready, 1, -1);
        } else if (count == 0 || errno != EINTR) {
            return; // a reader that has gone is no reason to end
        }
    }
}

} // namespace

/// In the place of those that are missing.
void LineWriter::State::note_lost()
{
    if (lost_count == 0) return;
    waiting.push_back(lost(std::exchange(lost_count, 0)));
    waiting_bytes += waiting.back().size();
}

void LineWriter::State::run()
{
    std::unique_lock lock{mutex};
    for (;;) {
        wake.wait(lock, [this] { return stopping || !waiting.empty(); });
        if (waiting.empty()) note_lost();
        if (waiting.empty()) break;
        const auto line = std::move(waiting.front());
        waiting.pop_front();
        lock.unlock();
        write_out(descriptor, line);
        lock.lock();
        waiting_bytes -= line.size();
        if (waiting.empty()) note_lost();
    }
    has_ended = true;
    ended.notify_all();
}

LineWriter::LineWriter(int descriptor, Lost lost) : state_(std::make_shared<State>())
{
    state_->descriptor = descriptor;
    state_->lost = std::move(lost);
    thread_ = start_quiet_thread([state = state_] {
        keep_only_descriptors({state->descriptor});
        state->run();
    });
}

void LineWriter::put(std::string line)
{
    {
        const std::lock_guard lock{state_->mutex};
        if (state_->stopping) return;
        if (state_->waiting_bytes + line.size() > most_waiting_bytes) {
            ++state_->lost_count;
            return;
        }
        state_->note_lost();
        state_->waiting_bytes += line.size();
        state_->waiting.push_back(std::move(line));
    }
    state_->wake.notify_one();
}

bool LineWriter::finish(std::chrono::milliseconds limit)
{
    if (!thread_.joinable()) return true;
    bool in_time = false;
    {
        std::unique_lock lock{state_->mutex};
        state_->stopping = true;
        state_->wake.notify_one();
        in_time = state_->ended.wait_for(lock, limit, [this] { return state_->has_ended; });
    }
    if (in_time)
        thread_.join();
    else
        thread_.detach(); // it hangs in a write, and ends with the process
    return in_time;
}

} // namespace gw::log
