#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/base/result.h"
#include "gateway/upstream/dialer.h"
#include "waf/inspector.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gw::proxy {

/// One request and its answer, as it went. Views live until `Observer::ended` returns.
struct ExchangeRecord {
    std::uint64_t number = 0; ///< on its connection, from 1
    std::string_view method;
    std::string_view host;   ///< of the request, in normal form
    std::string_view target; ///< as the client wrote it
    int minor_version = 1;
    int status = 0; ///< sent to the client; 0: none
    int route = -1;
    std::string_view action; ///< "forward_original", "respond" ...
    Endpoint upstream;       ///< port 0: none was used
    bool reused = false;     ///< over a connection that had been used before
    upstream::Source source = upstream::Source::gateway;
    std::string_view source_fallback{}; ///< why not what the listener asks for; empty: it is
    std::uint64_t request_bytes = 0;    ///< of the body, without framing
    std::uint64_t response_bytes = 0;
    std::chrono::steady_clock::time_point began{};
    std::chrono::steady_clock::time_point ended{};
    std::chrono::steady_clock::duration upstream_wait{}; ///< request sent to response head
    waf::Mode waf_mode = waf::Mode::off;
    std::optional<waf::Verdict> request_verdict;
    std::optional<waf::Verdict> response_verdict;
    bool incident = false;      ///< the client was told this request's id as an incident
    bool served = false;        ///< answered by an upstream, or by a route that answers itself
    std::optional<Error> error; ///< why it did not end as it should
};

/// What a connection's exchanges did so far. Changes while they run; same thread.
struct Live {
    std::uint64_t requests = 0;
    std::uint64_t from_client_bytes = 0; ///< bodies
    std::uint64_t to_client_bytes = 0;
    Endpoint upstream;
    int route = -1;
    bool waiting = false;                                    ///< between requests
    upstream::Source source = upstream::Source::gateway;     ///< of the last upstream connection
    std::string_view source_fallback{};                      ///< why not what the listener asks for; empty: it is
    std::uint64_t upstream_connections = 0;                  ///< requests sent over a new one
    std::uint64_t upstream_reuses = 0;                       ///< and over one used before
    std::chrono::steady_clock::duration dial_time{};         ///< of the last new one
    std::chrono::steady_clock::time_point first_answer_at{}; ///< head of the first answer of an upstream
    const std::string* held_request = nullptr;               ///< a body read for inspection; null: not HTTP any more
    const std::string* held_response = nullptr;
};

class Observer {
public:
    virtual ~Observer() = default;
    virtual void ended(const ExchangeRecord& record) = 0;
};

} // namespace gw::proxy
