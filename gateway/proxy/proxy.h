#pragma once

#include "gateway/base/buffer.h"
#include "gateway/base/flow.h"
#include "gateway/base/memory_allowance.h"
#include "gateway/base/stream.h"
#include "gateway/proxy/exchange.h"
#include "gateway/proxy/site.h"
#include "gateway/upstream/dialer.h"
#include "gateway/upstream/introduction.h"

#include <atomic>
#include <string_view>

namespace gw::proxy {

/// A client that speaks HTTP/1. What is referred to outlives the call.
struct Client {
    Stream& stream;
    Buffer& received; ///< what was read while peeking
    const Flow& flow;
    std::string_view id;      ///< of the connection; a request's id is this, '-', and its number
    bool secure = false;      ///< it came over TLS that was opened here
    upstream::Target begun{}; ///< what each target begins with: whose address upstreams see, where a name may lead
    route::Action otherwise = route::Action::deny;        ///< what no route matches
    std::size_t pool = 0;                                 ///< number in `Site::pools`, when that is forward_pool
    const upstream::Introduction* introduction = nullptr; ///< for pools that send it; null: none does
    bool may_rest = false; ///< `run` may return while the client thinks: see `Served::rests`
};

/// How far a client was served.
struct Served {
    upstream::ConnectionPtr upgraded; ///< both sides belong to the relay from here on; null: no upgrade
    /// The client has asked nothing for a while, and nothing is held for it: its stream has a deadline, and `run` is
    /// to be called again once there is something to read. False: the connection has ended.
    bool rests = false;
};

/// The gateway ends, and its connections with it.
enum class Draining {
    no,
    gently, ///< after the next answer, which says so: no client that may still send a request is cut off
    now,    ///< after what is under way
};

/// What a worker and a generation give to every session.
struct Surroundings {
    const Site& site;
    waf::Inspector* inspector = nullptr; ///< null: every policy is off
    upstream::Dialer& dialer;
    const Draining& draining;
    const std::atomic<bool>* shedding = nullptr; ///< true: memory is short, requests are answered 503; null: never
    MemoryAllowance* memory = nullptr;           ///< what bodies held for inspection may take; null: all they want
    std::uint64_t configuration = 0;             ///< number of the one that `site` belongs to
    const std::uint64_t* newest = nullptr;       ///< of the one in force; null: `configuration` stays in force
};

/// Whoever waits for a request ends now.
bool must_end(const Surroundings& around);

/// Serves one request after another until the client or the gateway ends the connection, it is upgraded, or the client
/// rests. `early`: a connection to the original destination that was dialled already, or null. Errors: what ended the
/// connection before its time. Each exchange was reported to `observer`, errors included.
Task<Result<Served>> run(Client client, Surroundings around, upstream::ConnectionPtr early, Live& live,
                         Observer& observer);

} // namespace gw::proxy
