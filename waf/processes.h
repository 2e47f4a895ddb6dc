#pragma once

#include "gateway/base/descriptor.h"
#include "waf/pool.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace gw::waf {

struct Note;

/// The data process's side of the template and the inspectors it made. Its thread starts the template, notes which
/// inspectors live, and starts another template when one dies; workers only send short notes.
class Processes final : public InspectorProcesses, public std::enable_shared_from_this<Processes> {
public:
    Processes(Settings settings, std::string program);
    ~Processes() override;
    /// Waits for the first template. Errors: as of `InspectorProcesses::start`.
    Result<> begin();

    std::unique_ptr<Inspector> for_worker(asio::io_context& io, DeadlineWheel& wheel) override;
    Status status() const override;
    std::vector<int> process_ids() const override;
    /// Process id of the template; 0: none at the moment. For tests and `status`.
    int template_process_id() const { return template_id_.load(); }

    const Settings& settings() const { return settings_; }

    /// A number for an inspector and the socket to it (non-blocking). The inspector is made while the first bytes are
    /// on their way; when that fails, the socket closes. Any thread. Errors: `closed`: no template at the moment;
    /// `system`.
    struct Fresh {
        std::uint64_t number;
        Descriptor socket;
    };
    Result<Fresh> spawn();
    /// The worker is done with it (its socket is closed). `kill`: it hangs and must be ended.
    void forget(std::uint64_t number, bool kill);

    struct Counters {
        std::atomic<int> inspectors{0};
        std::atomic<std::uint64_t> restarts{0}, inspected{0}, blocked{0}, failed{0};
    };
    Counters counters;

private:
    void watch();
    Result<> start_template();
    Result<std::string> await_report();
    void follow_notes();
    void take(const Note& note);
    void end_template();
    bool wait_readable(int fd);
    bool rest_before_restart();
    void report_first(Result<> outcome);

    Settings settings_;
    std::string program_;
    Descriptor stop_; // eventfd: readable when the thread is to end
    std::atomic<int> template_id_{0};
    std::atomic<std::uint64_t> next_number_{1};

    mutable std::mutex mutex_;          // of everything below
    Descriptor link_;                   // open only while a template takes notes
    std::map<std::uint64_t, int> live_; // inspector -> process id, 0 until known
    std::string rules_;
    std::optional<Result<>> first_;
    std::condition_variable first_known_;

    Descriptor pending_; // of the watcher's thread: the link while the rules are compiled
    bool reported_ = false;
    Deadline::Clock::time_point last_start_{};
    std::thread watcher_;
};

} // namespace gw::waf
