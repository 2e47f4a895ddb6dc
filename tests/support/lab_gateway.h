#pragma once

#include "tests/support/lab_network.h"
#include "tests/support/lab_server.h"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace gw::lab {

/// What a service manager hears from a daemon: a socket for NOTIFY_SOCKET, read all the time. Descriptors that it is
/// to keep it keeps, as systemd does.
class Notifications {
public:
    explicit Notifications(const std::string& path);
    ~Notifications();
    /// Waits until `word` ("READY=1") was said more than `times` times.
    bool heard(std::string_view word, std::size_t times = 0, Milliseconds limit = patience) const;
    std::size_t count(std::string_view word) const;
    /// Nothing was said yet; what is kept is kept.
    void begins_anew();

    /// Name and descriptor.
    std::vector<std::pair<std::string, int>> kept() const;
    std::vector<std::string> kept_names() const;
    /// As if a daemon had given it.
    void keeps(std::string name, Descriptor descriptor);

private:
    void read();
    void take(const std::string& message, std::vector<Descriptor> descriptors);

    Descriptor socket_, stop_;
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::string said_;
    std::vector<std::pair<std::string, Descriptor>> kept_;
    std::thread reader_;
};

/// The real gatewayd in the gateway's namespace. Stopped, and checked for having stopped well, when the test ends.
/// The programs are those beside the test's own, or in the folder that GW_PROGRAM_DIR in the environment names.
class Gateway {
public:
    explicit Gateway(const Network& network);
    ~Gateway();
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    /// Before it starts: names it can resolve (lines of a hosts file), and a certificate it trusts beside none.
    void knows_hosts(std::string_view lines);
    void trusts(std::string_view certificate);
    /// Before it starts: how many files each of its processes may open.
    void may_open_files(int count) { open_files_ = count; }
    /// Starts it with this configuration (and `admin.socket` unless it says so) and waits until it is ready.
    void runs_with(std::string_view yaml);
    /// The same as an ordinary user with the capabilities that the systemd unit gives.
    void runs_unprivileged_with(std::string_view yaml);
    /// Starts it with what is on the disk, as a service manager does after it ended.
    void runs_again();
    /// From now on starts are those of a service manager that keeps descriptors: what the one before gave it is handed
    /// to the next. Without it they are forgotten.
    void has_descriptors_kept() { descriptors_kept_ = true; }
    /// More of gatewayd's options, for the next start.
    void is_started_with(Command options) { more_options_ = std::move(options); }
    /// Starts it and expects it to end by itself, with an error.
    Output refuses(std::string_view yaml);
    /// Writes the configuration file; it runs on with the old one.
    void is_given(std::string_view yaml);
    /// `is_given`, then asks for a reload and expects it to work.
    void reloads(std::string_view yaml);
    /// SIGTERM; expects exit code 0, no process left behind, and no complaint of a sanitizer.
    void stops();
    /// Ends it and all its processes as `kill -9` does.
    void is_killed();

    /// gatewayctl, asking this gateway.
    Output ctl(Command words) const;
    /// Any of the programs, in the gateway's namespace.
    Output program(std::string_view name, Command words) const;
    static std::string program_file(std::string_view name);
    const std::string& configuration_file() const { return file_; }
    std::string state_folder() const { return folder_.path("state"); }
    std::string socket_file() const { return folder_.path("control.sock"); }

    Process& process() { return *process_; }
    bool is_running() { return process_ && process_->running(); }
    Notifications& notifications() { return *notifications_; }
    const Notifications& notifications() const { return *notifications_; }
    /// The service log so far.
    std::string log() const { return process_ ? process_->err() : ""; }

    /// Access records so far. Every line must be JSON.
    std::vector<Json> records() const;
    /// The first record that satisfies the condition, waiting for it. Fails the test when none comes.
    Json record(const std::function<bool(const Json&)>& condition) const;
    /// The record of the request for `target`.
    Json request_record(std::string_view target) const;
    /// The `number`th record of a connection (0: the first) of a client.
    Json connection_record(std::string_view client, std::size_t number = 0) const;

    /// Process ids of the gateway's programs, all of them or those of one name (comm).
    std::vector<int> process_ids(std::string_view name = "") const;
    /// Resident memory of all of them.
    std::size_t memory_kib() const;
    /// Our nft table as text; empty: there is none.
    std::string rules() const;
    /// Everything in the kernel that interception could leave behind: all tables, policy rules, routes.
    std::string kernel_state() const;

private:
    void starts(std::string_view yaml, unsigned user);
    void starts_as_it_is(unsigned user);
    void check_log() const;

    const Network& network_;
    Folder folder_;
    std::string file_;
    Command more_options_;
    std::string hosts_file_;
    std::string trusted_file_;
    bool descriptors_kept_ = false;
    int open_files_ = 0; // 0: as many as the test
    std::unique_ptr<Notifications> notifications_;
    std::unique_ptr<Process> process_;
};

} // namespace gw::lab
