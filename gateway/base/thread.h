#pragma once

#include <csignal>
#include <thread>
#include <utility>
#include <vector>

namespace gw {

/// A thread that gets no signals: they are for those that expect them.
template <class Work> std::thread start_quiet_thread(Work work)
{
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread started{std::move(work)};
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return started;
}

/// The calling thread gets no signals from now on.
void take_no_signals() noexcept;

/// The calling thread has a table of descriptors of its own from now on, and of those there were only `kept` in it, the
/// standard ones, and what wakes event loops (epoll, eventfd, timerfd), so that it can post to one. What the rest of
/// the process closes is closed then, whatever this thread is at: a killed process, all of whose threads have to end
/// first where they share one, lets go of its rules earlier. Where the system refuses, they stay in common (unshare(2),
/// CLONE_FILES). It gets no signals from now on, whose handlers write to descriptors of the others.
void keep_only_descriptors(const std::vector<int>& kept);

} // namespace gw
