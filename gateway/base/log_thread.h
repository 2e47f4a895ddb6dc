#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace gw::log {

/// Writes finished lines on a thread of its own, in their order: whoever says something never waits for a reader that
/// is slow or stuck. What does not fit any more is lost and counted, and a line in its place says how many.
class LineWriter {
public:
    static constexpr std::size_t most_waiting_bytes = 1024 * 1024;
    static constexpr std::chrono::milliseconds farewell_limit{2'000};

    /// `lost`: the line that stands for so many. `descriptor` stays open as long as this lives.
    using Lost = std::function<std::string(std::uint64_t)>;
    LineWriter(int descriptor, Lost lost);
    ~LineWriter() { finish(farewell_limit); }
    LineWriter(const LineWriter&) = delete;
    LineWriter& operator=(const LineWriter&) = delete;

    void put(std::string line);
    /// Writes what it has, and ends its thread. False: it could not within the limit; what is left is lost. From then
    /// on nothing is taken any more.
    bool finish(std::chrono::milliseconds limit);

private:
    struct State; // outlives this while its thread hangs in a write
    std::shared_ptr<State> state_;
    std::thread thread_;
};

/// While it lives, the service log of this process goes through a thread; what is not written when it dies has its
/// farewell limit to be. Not before a process has given up its privileges, and one at a time. Processes that are forked
/// must not log before they are another program.
class InBackground {
public:
    InBackground();
    ~InBackground() { finish(); }
    InBackground(const InBackground&) = delete;
    InBackground& operator=(const InBackground&) = delete;
    /// For a process that ends without destroying anything.
    static void finish();
};

} // namespace gw::log
