#include "gateway/ctl/interrupts.h"

#include <poll.h>

namespace gw::ctl {

namespace {

constexpr int watched[] = {SIGINT, SIGTERM, SIGHUP};
volatile std::sig_atomic_t interrupted = 0;

extern "C" void note_interrupt(int) { interrupted = 1; }

} // namespace

Interrupts::Interrupts()
{
    interrupted = 0;
    sigset_t blocked;
    sigemptyset(&blocked);
    for (const int signal : watched) sigaddset(&blocked, signal);
    sigprocmask(SIG_BLOCK, &blocked, &before_);
    struct sigaction action {};
    action.sa_handler = note_interrupt;
    for (std::size_t i = 0; i < std::size(watched); ++i) {
        sigaction(watched[i], &action, &actions_before_[i]);
        sigdelset(&before_, watched[i]);
    }
}

Interrupts::~Interrupts()
{
    for (std::size_t i = 0; i < std::size(watched); ++i) sigaction(watched[i], &actions_before_[i], nullptr);
    sigprocmask(SIG_SETMASK, &before_, nullptr);
}

bool Interrupts::came() const { return interrupted != 0; }

bool Interrupts::sleep(std::chrono::milliseconds span) const
{
    const timespec limit{span.count() / 1'000, static_cast<long>(span.count() % 1'000) * 1'000'000};
    if (!came()) ppoll(nullptr, 0, &limit, &before_);
    return !came();
}

} // namespace gw::ctl
