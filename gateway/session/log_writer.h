#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/result.h"
#include "gateway/session/settings.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace gw::session {

/// Takes finished lines from the workers, in batches, and writes them on a thread of its own: a slow disk or journal
/// stalls no connection. When it cannot keep up, whole batches are dropped and counted. Also keeps the newest records
/// in memory for `gatewayctl log`.
class LogWriter {
public:
    LogWriter();
    ~LogWriter() { finish(); }

    /// Writes what it has, then ends its thread. What is put afterwards is lost.
    void finish();

    /// Where lines go from now on: to `file`, open to append; without one to standard output.
    void send_to(const AccessLog& access, Descriptor file = {});

    /// What a worker has gathered.
    struct Batch {
        std::string records;                               ///< as lines of JSON, each with its line break
        std::size_t count = 0;                             ///< how many they are
        AccessLog::Format format = AccessLog::Format::off; ///< in which they go to the log
        std::string lines;                                 ///< for the log, where it is written for people
    };
    void put(Batch batch);

    struct Recent {
        std::uint64_t next = 0;    ///< sequence number to ask from the next time
        std::uint64_t dropped = 0; ///< batches dropped so far
        std::vector<std::string> records;
    };
    /// Records from sequence number `after` on, at most `limit` of the newest; 0: the newest there are.
    Recent recent(std::uint64_t after, std::size_t limit) const;

private:
    void run();
    const Batch& keep(Batch batch);
    static void write_out(int descriptor, std::string_view lines);

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Batch> waiting_;
    std::size_t waiting_bytes_ = 0;
    std::uint64_t dropped_ = 0;
    bool stopping_ = false;
    AccessLog access_;
    Descriptor file_;
    std::deque<Batch> recent_; // changed by the thread only
    std::size_t recent_bytes_ = 0;
    std::size_t recent_count_ = 0; // of records
    std::uint64_t next_ = 1;       // sequence number of the next record
    std::thread thread_;
};

} // namespace gw::session
