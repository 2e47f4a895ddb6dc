#pragma once

#include "gateway/config/config.h"
#include "gateway/session/generation.h"
#include "gateway/tls/dial.h"
#include "netfilter/local_addresses.h"

#include <future>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace gw::control {

/// What a generation is built from, beside its settings.
struct Surroundings {
    std::uint64_t number = 0;
    session::GenerationPtr previous; ///< parts whose settings did not change are taken over; may be null
    std::shared_ptr<const netfilter::LocalAddresses> local;
    std::vector<Endpoint> own_sockets; ///< what the gateway itself listens on
    std::string inspector_program;
    std::string instance{}; ///< what this process calls itself in CDN-Loop
    /// What upstreams' certificates are checked with, if it is being read already; taken by the first who needs it.
    std::future<Result<std::shared_ptr<const tls::DialContext>>>* tls = nullptr;
};

/// Settings whose texts only other rooms understand (routes, header edits), checked without building anything that
/// runs.
Problems check(const config::Settings& settings);

/// Everything a configuration needs, ready to serve: routes, certificates, inspectors with their rules compiled. May
/// take a second or two; touches nothing of the generation in force. Errors: every problem found.
std::variant<session::GenerationPtr, Problems> build(const config::Settings& settings, const Surroundings& around);

/// gateway-inspector: beside this program, or where the package puts it. Errors: `system` when there is none.
Result<std::string> find_inspector_program();

} // namespace gw::control
