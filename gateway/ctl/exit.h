#pragma once

namespace gw::ctl {

/// What gatewayctl ends with. Documented in gatewayctl(1); scripts depend on the numbers.
enum class Exit {
    ok = 0,
    wrong = 1,         ///< the thing asked about is wrong: a bad configuration, a degraded gateway, missing rules
    usage = 2,         ///< the command line cannot be understood, or names what is not supported yet
    unreachable = 3,   ///< gatewayd is not running, or another socket is meant
    not_allowed = 4,   ///< neither root nor a member of the group
    failed = 5,        ///< gatewayd refused or failed, or its answer makes no sense
    warned = 6,        ///< doctor: warnings, and nothing worse
    interrupted = 130, ///< Ctrl-C in a live view
};

} // namespace gw::ctl
