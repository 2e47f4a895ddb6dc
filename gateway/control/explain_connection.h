#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/session/generation.h"
#include "gateway/session/log_writer.h"
#include "gateway/session/worker.h"
#include "netfilter/settings.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gw::control {

/// Which connection is meant: by its id, or by its client's address and port.
struct ConnectionName {
    std::string id; ///< of the connection, also when the id of one of its requests was given
    std::optional<Endpoint> client;
};
/// "abcde0.12", "abcde0.12-3" (a request, an incident) or "192.0.2.7:40000", as in the target, percent-encoded.
/// Errors: `malformed`, side client.
Result<ConnectionName> parse_connection_name(std::string_view text);

/// All that is known of one connection.
struct ConnectionCase {
    std::string record; ///< JSON: its line in the log, or as `append_detail` writes it
    bool live = false;
    std::vector<std::string> requests{}; ///< its newest requests that ended, as in the log, the newest last
    session::GenerationPtr generation{}; ///< that it was served by; null: not there any more
    std::uint64_t generation_in_force = 0;
    const netfilter::Settings* kernel = nullptr;
};

/// Adds what the log in memory knows of the connection: its requests, and its own line when there is no live one.
/// False: nothing is known of it.
bool add_from_log(const session::LogWriter::Recent& recent, const ConnectionName& name, ConnectionCase& into);

/// Whether the record says that it was served by the configuration of that number.
bool was_of(const ConnectionCase& known, std::uint64_t generation);

/// The answer to GET /v1/connections/ID: docs/control-api.md. Pure.
std::string explanation_of(const ConnectionCase& known);

/// GET /v1/connections: "listener=web&client=10.0.0.0/8&upstream=192.0.2.1:80&limit=100". Errors: `malformed`, side
/// client.
Result<session::ConnectionFilter> parse_connection_query(std::string_view query);
/// Its answer: the lists of all workers, each with up to its limit.
std::string connections_json(const std::vector<session::ConnectionList>& lists);

} // namespace gw::control
