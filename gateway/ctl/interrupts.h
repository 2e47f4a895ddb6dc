#pragma once

#include <chrono>
#include <csignal>

namespace gw::ctl {

/// While it lives, SIGINT, SIGTERM and SIGHUP end no process: they are noticed only in waits that take `wait_mask()`,
/// so a live view ends between two pictures, with the terminal restored. One at a time.
class Interrupts {
public:
    Interrupts();
    ~Interrupts();
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;

    /// For ppoll: the mask under which the signals come through.
    const sigset_t& wait_mask() const { return before_; }
    bool came() const;
    /// Waits that long; false when interrupted.
    bool sleep(std::chrono::milliseconds span) const;

private:
    sigset_t before_{};
    struct sigaction actions_before_[3]{};
};

} // namespace gw::ctl
