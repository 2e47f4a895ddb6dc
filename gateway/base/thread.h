#pragma once

#include <csignal>
#include <thread>
#include <utility>

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

} // namespace gw
