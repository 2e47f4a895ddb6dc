#pragma once

#include "gateway/base/deadline.h"
#include "waf/inspector.h"

#include <boost/asio/io_context.hpp>
#include <functional>

namespace gw::waf {

/// The inspector processes of one generation of rules. `start` runs gateway-inspector, which compiles every policy,
/// gives up all it does not need (files, network, privileges) and then forks an inspector on demand in milliseconds, so
/// a dead or hung one is replaced at once and all share the compiled rules' memory.
class InspectorProcesses {
public:
    struct Status {
        int inspectors = 0;
        std::uint64_t restarts = 0;
        std::uint64_t inspected = 0;
        std::uint64_t blocked = 0;
        std::uint64_t failed = 0;
        std::string rules; ///< "OWASP_CRS/3.3.4, 584 rules"
    };

    /// Rules are compiled from now on; nothing is inspected before `ready` has said that they are. Errors: `system`.
    static Result<std::shared_ptr<InspectorProcesses>> begin(const Settings& settings, std::string program);
    /// Blocks until the rules are compiled (about a tenth of a second): call it from the control thread.
    /// Errors: `malformed` when a rule file is wrong: `what` holds the engine's message with file and line; `system`.
    virtual Result<> ready() = 0;
    /// Both.
    static Result<std::shared_ptr<InspectorProcesses>> start(const Settings& settings, std::string program);
    virtual ~InspectorProcesses() = default; ///< ends all of them

    /// The way of one worker: runs on its io_context, waits there, never blocks it.
    virtual std::unique_ptr<Inspector> for_worker(asio::io_context& io, DeadlineWheel& wheel) = 0;
    virtual Status status() const = 0;
    /// Process ids of the live inspectors, for tests and `status`.
    virtual std::vector<int> process_ids() const = 0;
};

} // namespace gw::waf
