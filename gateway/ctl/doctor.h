#pragma once

#include "gateway/ctl/commands.h"
#include "gateway/ctl/json.h"
#include "gateway/ctl/output.h"
#include "netfilter/doctor/doctor.h"

#include <vector>

namespace gw::ctl {

/// `doctor`: looks at the configuration, the host, the upstreams, and asks the daemon where one answers. Ok: nothing
/// worse than notes; warned; wrong: an error among the findings.
Exit examine(const Invocation& invocation, Output& output);

/// What was found, and about whom.
struct Examination {
    std::string file;    ///< the configuration
    bool daemon = false; ///< gatewayd answered
    std::uint64_t took_ms = 0;
    std::vector<doctor::Finding> findings; ///< sorted
};

/// Findings as blocks of lines, the worst first; those that are well only with `all`. Pure.
std::string examination_text(const Examination& examination, bool all, const Look& look);
/// `ok`, `worst`, `config_file`, `daemon`, `counts`, `findings`. Pure.
Json examination_json(const Examination& examination);

} // namespace gw::ctl
