#pragma once

#include "gateway/link/link.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace gw::keeper {

/// Another process of this program as the keeper sees it: started, asked, watched.
class DataLink {
public:
    /// Starts this very program again as the data process, joined by a socket pair. Errors: `system`.
    static Result<std::shared_ptr<DataLink>> start(asio::io_context& io);
    /// Starts the program of this name in another role. Errors: `system`; one that cannot be executed ends at once.
    static Result<std::shared_ptr<DataLink>> start(asio::io_context& io, const char* program, const char* role);
    ~DataLink();
    DataLink(const DataLink&) = delete;
    DataLink& operator=(const DataLink&) = delete;

    /// Sends an order or a question and waits for its answer; the limit is for both. A process that has taken in only a
    /// part of it by then is ended: nothing else could be sent to it.
    /// Errors: what the data process said (`refused`), `timed_out`, `closed` when it has gone.
    Task<Result<std::string>> ask(link::Kind kind, std::string text, std::vector<Descriptor> descriptors,
                                  std::chrono::milliseconds limit);

    /// Hands answers to those who wait. Ends when the process has gone; then everybody waiting gets `closed`.
    Task<void> follow();

    /// Called when it orders this process to drain, as a successor does that stops (handover.h).
    void when_told_to_drain(std::function<void()> told) { told_to_drain_ = std::move(told); }

    /// Its end of the socket pair is closed.
    bool gone() const { return gone_; }
    int process_id() const { return process_id_; }
    /// Nothing when it has ended already.
    void kill() const;
    /// It is on its own from now on.
    void let_go() { process_.reset(); }

private:
    DataLink(asio::io_context& io, Descriptor link, int process_id);
    struct Waiting {
        explicit Waiting(asio::io_context& io) : answered(io) {}
        asio::steady_timer answered;
        bool done = false;
        Result<std::string> answer{Error{Fault::closed, Side::gateway, "the process has gone", {}}};
    };

    asio::io_context& io_;
    link::Link link_;
    int process_id_;
    Descriptor process_; // a process descriptor: its number could be somebody else's by now
    std::uint64_t next_ = 1;
    bool gone_ = false;
    std::function<void()> told_to_drain_;
    std::map<std::uint64_t, std::shared_ptr<Waiting>> waiting_;
};

} // namespace gw::keeper
