#pragma once

#include "gateway/base/descriptor.h"

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace gw::lab {

using Command = std::vector<std::string>;
using Milliseconds = std::chrono::milliseconds;

/// How long anything may take that is expected to happen. Generous: only a failing test waits that long.
inline constexpr Milliseconds patience{15'000};

/// Looks again and again until `condition` holds; false when `limit` has passed first. For what gives no event of its
/// own: a line in another program's log, a rule in the kernel.
bool eventually(const std::function<bool()>& condition, Milliseconds limit = patience);

/// A folder under /tmp, removed with everything in it.
class Folder {
public:
    Folder();
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string path(std::string_view file = "") const { return (at_ / file).string(); }
    /// Writes a file and gives its path.
    std::string write(std::string_view file, std::string_view text) const;

private:
    std::filesystem::path at_;
};

std::string read_file(const std::string& path);

/// What a program said and how it ended: its exit code, or 128 + the signal's number.
struct Output {
    int exit_code = -1;
    std::string out;
    std::string err;
};

/// A program of a test, in the background. Killed when the test lets go of it, or is killed itself.
class Process {
public:
    struct Place {
        int network = -1;                     ///< descriptor of a network namespace; -1: the test's own
        std::vector<std::string> environment; ///< added to the test's own: "NAME=value"
        unsigned user = 0;                    ///< not 0: runs as that user, with the capabilities named
        std::string capabilities;             ///< "net_admin,net_raw": kept as ambient ones
        /// Name and descriptor: handed over as a service manager does (LISTEN_FDS). Copies; the test keeps its own.
        std::vector<std::pair<std::string, int>> descriptors{};
    };
    explicit Process(Command command) : Process(std::move(command), Place{}) {}
    Process(Command command, Place place);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    int id() const { return id_; }
    bool running();
    void signal(int number) const;
    /// Waits for its end. Fails the test, and kills it, when that does not come in time.
    Output wait(Milliseconds limit = patience);

    std::string out() const;
    std::string err() const;
    /// Waits until what it wrote so far satisfies the condition; false when it ended or `limit` passed first.
    bool wrote(const std::function<bool(const std::string& out, const std::string& err)>& condition,
               Milliseconds limit = patience);

private:
    void collect();

    Command command_;
    int id_ = -1;
    int exit_code_ = -1;
    bool reaped_ = false;
    Descriptor ended_; // a pidfd
    Descriptor out_pipe_, err_pipe_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::string out_, err_;
    bool finished_ = false; // both pipes came to their end
    std::thread reader_;
};

/// Runs a program to its end.
Output run(Command command, Process::Place place = {}, Milliseconds limit = patience);
/// The same; fails the test when the program fails.
std::string run_well(Command command, Process::Place place = {});

/// Processes that were left behind by programs of this test and are still there (it inherits them). Ids.
std::vector<int> orphans();

} // namespace gw::lab
