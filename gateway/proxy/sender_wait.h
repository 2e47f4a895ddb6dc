#pragma once

#include "gateway/proxy/move_body.h"

#include <chrono>
#include <optional>

namespace gw::proxy {

/// One wait for the sender of a body: how long it may take, and what it takes off its pace. One object a wait.
class SenderWait {
public:
    /// `from` outlives it.
    explicit SenderWait(const BodySource& from);

    /// Sets the stream's deadline. An error: it has been too slow already, and is not waited for.
    Result<> begin();
    /// The wait is over.
    void end();
    /// What its failure is called: too slow for its pace, or as it came.
    Error named(Error failure) const;

private:
    using Clock = std::chrono::steady_clock;

    const BodySource& from_;
    bool paced_;
    Clock::duration limit_;
    Clock::time_point begun_{};
};

} // namespace gw::proxy
