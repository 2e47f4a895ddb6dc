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

/// The data process's side of the template and the inspectors it makes. Its thread starts the template, reaps what
/// ended, and starts another template when one dies or hangs; workers only send short notes.
///
/// The template forks inspectors as its siblings: this process is the parent of both. So inspectors outlive a template,
/// any of them can be killed without it, and the kernel ends all of them with the thread here, however that ends.
class Processes final : public InspectorProcesses, public std::enable_shared_from_this<Processes> {
public:
    Processes(Settings settings, std::string program);
    ~Processes() override;
    /// Starts the thread. Errors: `system`.
    Result<> begin_watching();
    Result<> ready() override;

    std::unique_ptr<Inspector> for_worker(asio::io_context& io, DeadlineWheel& wheel) override;
    Status status() const override;
    std::vector<int> process_ids() const override;
    /// Process id of the template; 0: none at the moment. For tests and `status`.
    int template_process_id() const { return template_id_.load(); }

    const Settings& settings() const { return settings_; }

    /// A number for an inspector and the socket to it (non-blocking). The inspector is made while the first bytes are
    /// on their way; when that fails, the socket closes. A template that does not make it in half a phase's deadline
    /// hangs and is replaced. Any thread. Errors: `closed`: no template at the moment; `system`.
    struct Fresh {
        std::uint64_t number;
        Descriptor socket;
    };
    Result<Fresh> spawn();
    /// The worker is done with it: it is killed, whatever it does. Any thread.
    void forget(std::uint64_t number);

    struct Counters {
        std::atomic<int> inspectors{0};
        std::atomic<std::uint64_t> restarts{0}, inspected{0}, blocked{0}, failed{0};
    };
    Counters counters;

private:
    using Time = Deadline::Clock::time_point;
    struct Made {
        int process_id = 0;           ///< 0 until known. Not reaped while it is here, so it belongs to no one else
        Descriptor process;           ///< readable when it ended
        Time answer_by = Time::max(); ///< of the template that was asked for it
        bool wanted = true;
    };
    enum class Woken { link, stop, other };

    void watch();
    Result<> start_template();
    Result<std::string> await_report();
    void follow_notes();
    void take(const Note& note);
    void end_template();
    void end_all();
    Woken wait(int link, Time until);
    void reap();
    Time template_answers_by() const;
    bool rest_before_restart();
    void report_first(Result<> outcome);

    Settings settings_;
    std::string program_;
    Descriptor stop_;  // eventfd: readable when the thread is to end
    Descriptor asked_; // eventfd: readable when an inspector was asked for
    std::atomic<int> template_id_{0};
    std::atomic<std::uint64_t> next_number_{1};

    mutable std::mutex mutex_;           // of everything below
    Descriptor link_;                    // open only while a template takes notes
    std::map<std::uint64_t, Made> made_; // by inspector's number
    std::string rules_;
    std::optional<Result<>> first_;
    std::condition_variable first_known_;

    Descriptor template_; // of the watcher's thread: the process, to end it by
    Descriptor pending_;  // of the watcher's thread: the link while the rules are compiled
    bool reported_ = false;
    Time last_start_{};
    std::thread watcher_;
};

} // namespace gw::waf
