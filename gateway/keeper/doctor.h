#pragma once

#include "gateway/base/task.h"
#include "gateway/keeper/answers.h"
#include "netfilter/doctor/doctor.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace gw::keeper {

/// Looks at the host again and again for what breaks interception: `gatewayctl doctor` without dry runs, the rules of
/// others and upstreams. It takes at most a hundredth of a processor, and a tenth while there are changes.
class HostDoctor {
public:
    HostDoctor(asio::io_context& io, const InForce& in_force, Rules& rules)
        : in_force_(in_force), rules_(rules), timer_(io)
    {}

    /// Looks every ten seconds, and at once after `changed`, but at most once a second, until `end`.
    Task<void> watch();
    /// Something of the host's network may have changed, or another configuration is in force.
    void changed();
    void end();

    /// GET /v1/doctor. docs/control-api.md.
    link::Answer answer();
    /// What of it /v1/status shows: errors are its problems, warnings its own member.
    void add_to_status(Json& status);
    /// Prometheus text.
    std::string metrics() const;

private:
    /// As they are, or were a moment ago.
    const std::vector<doctor::Finding>& findings();
    void examine();
    std::chrono::steady_clock::time_point stale_at() const;

    const InForce& in_force_;
    Rules& rules_;
    asio::steady_timer timer_;
    std::vector<doctor::Finding> findings_;
    std::chrono::steady_clock::time_point looked_{};
    std::chrono::steady_clock::duration took_{};
    std::uint64_t times_ = 0;
    bool changed_ = false;
    bool ended_ = false;
};

} // namespace gw::keeper
