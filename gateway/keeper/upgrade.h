#pragma once

#include "gateway/keeper/control_server.h"
#include "gateway/keeper/data_side.h"
#include "gateway/keeper/predecessors.h"
#include "gateway/keeper/rules.h"

namespace gw::keeper {

/// What a keeper has to leave to its successor.
struct Estate {
    const std::string& config_file;
    const InForce& in_force;
    ControlServer& server;
    Rules& rules;
    Predecessors& predecessors;
};

/// A keeper that has taken this one's place.
struct Successor {
    std::shared_ptr<DataLink> process;
    std::string version;
};

/// Where the program lies now that this process was started from, whether that is the same file or not.
std::string own_program();

/// Starts `program` as this keeper's successor and gives it all there is: configuration, listening sockets, rules. When
/// this returns without error it serves and answers for everything, and nothing of the estate may be touched any more.
/// On error it is ended, and nothing has changed. One that cannot be executed, says nothing, or speaks another
/// handover protocol is such an error; `what` says which.
Task<Result<Successor>> hand_over_to(asio::io_context& io, const std::string& program, Estate estate,
                                     const Settings& settings);

} // namespace gw::keeper
