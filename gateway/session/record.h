#pragma once

#include "gateway/base/flow.h"
#include "gateway/base/result.h"
#include "gateway/datagram/flow.h"
#include "gateway/proxy/exchange.h"
#include "gateway/relay/relay.h"
#include "gateway/session/introduced.h"
#include "gateway/upstream/dialer.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace gw::session {

/// What a client that begins TLS asks for in clear text.
struct TlsOffer {
    std::string server_name;
    std::string alpn;                    ///< comma-separated
    bool encrypted_client_hello = false; ///< an ECH extension is there
};

/// One connection, from accept to its end. There may be many of them that only wait: what few have lies apart. Filled
/// along the way; looked at by `gatewayctl connections` meanwhile.
struct ConnectionRecord {
    std::string id;
    Flow flow;
    std::optional<Hello::Kind> kind;
    std::unique_ptr<const TlsOffer> tls; ///< null: it has not begun so
    std::uint64_t generation = 0;        ///< number of the configuration it began with, and keeps
    std::string_view action;
    std::shared_ptr<const Introduced> introduced; ///< null: no PROXY header had to come
    Endpoint upstream;
    upstream::Source source = upstream::Source::gateway;
    std::string_view source_fallback{}; ///< why not what the listener asks for; empty: it is
    bool dialled_early = false;         ///< before the client had said anything: the server might speak first
    relay::Counts relayed;              ///< while and after it is relayed
    proxy::Live live;                   ///< while and after it is HTTP
    std::chrono::steady_clock::time_point began{};
    std::chrono::system_clock::time_point began_at{};
    std::chrono::steady_clock::duration peeked_after{}; ///< accept to knowing what the client speaks; 0: not known
    std::chrono::steady_clock::duration dial_time{};    ///< of the relay's upstream; 0: none was dialled
    std::string_view state = "accepted";                ///< peeking, dialling, relaying, http, idle
    std::unique_ptr<const Error> error;                 ///< why it did not end as it should
    bool has_exempt_request = false;                    ///< `is_exempt` (record_limit.h)
};

/// One line of JSON for a connection that ended, without the line break. What a client sent is escaped.
void append_json_line(std::string& into, const ConnectionRecord& record, std::chrono::steady_clock::time_point now);
/// The same for a request. `connection` is the one it came over. Of the target's query only the names are written
/// unless `whole_query` is set.
void append_json_line(std::string& into, const proxy::ExchangeRecord& record, const ConnectionRecord& connection,
                      bool whole_query = false);

/// The lines for people: no colours, no control characters, fields in a fixed order.
void append_human_line(std::string& into, const ConnectionRecord& record, std::chrono::steady_clock::time_point now);
void append_human_line(std::string& into, const proxy::ExchangeRecord& record, const ConnectionRecord& connection,
                       bool whole_query = false);

/// "/find?q=shoes&x" -> "/find?q=***&***": passwords, tokens and what people look for travel in queries. Pure.
std::string without_values(std::string_view target);

/// A connection in progress, as the object that would be its line if it ended now, with `state` instead of how it
/// ended. For `gatewayctl explain`.
void append_detail(std::string& into, const ConnectionRecord& record, std::chrono::steady_clock::time_point now);

/// A connection in progress, as one JSON object for `gatewayctl connections`.
void append_progress(std::string& into, const ConnectionRecord& record, std::chrono::steady_clock::time_point now);

/// The same three for a flow of UDP. `id`: its name in logs.
void append_json_line(std::string& into, const datagram::Flow& flow, std::string_view id);
void append_human_line(std::string& into, const datagram::Flow& flow, std::string_view id);
void append_progress(std::string& into, const datagram::Flow& flow, std::string_view id,
                     std::chrono::steady_clock::time_point now);

} // namespace gw::session
