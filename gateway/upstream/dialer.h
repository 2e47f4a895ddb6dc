#pragma once

#include "gateway/base/buffer.h"
#include "gateway/base/deadline.h"
#include "gateway/base/stream.h"
#include "gateway/upstream/guard.h"
#include "gateway/upstream/settings.h"
#include "netfilter/settings.h"

#include <memory>
#include <optional>
#include <string>

namespace gw::tls {
class DialContext;
}

namespace gw::upstream {

/// Where a connection goes and as whom: everything that the upstream can tell apart.
struct Target {
    std::string host;  ///< a name; empty: `endpoint` says it all
    Endpoint endpoint; ///< the address (when `host` is empty) and always the port
    bool tls = false;
    NamedBy named_by = NamedBy::client;
    std::optional<Address> source; ///< the client's address, to be used as our own; none: the gateway's
    std::uint16_t source_port = 0; ///< the client's port, to be used as our own; 0: any
    bool is_twin = false;          ///< with that port conntrack could not tell it from the client's own connection
    /// Where a name that the client chose may lead: an interception's `to` and `ports`. Null: wherever it does.
    std::shared_ptr<const netfilter::Intercept> within{};
    std::string proxy_header;           ///< sent before anything else, TLS included; empty: none
    const PoolSettings* pool = nullptr; ///< one of its servers, `host` and `endpoint` are not used; outlives the dial

    friend bool operator==(const Target&, const Target&) = default;
};

/// Whose address the upstream sees.
enum class Source { gateway, kept, kept_with_port };
std::string_view name_of(Source source);
/// Whether a connection made for `made` will do for `wanted`: the same in all the upstream can tell apart; where a pool
/// is wanted, at any of its servers.
bool serves(const Target& made, const Target& wanted);

/// A connection to an upstream. Whoever holds it owns it.
struct Connection {
    explicit Connection(DeadlineWheel& wheel) : idle_deadline(wheel, &Connection::on_idle_expired, this) {}

    Target target;
    Endpoint remote; ///< the very address connected to
    Source source = Source::gateway;
    std::string_view source_fallback{}; ///< why it is not what the target asks for; empty: it is
    std::unique_ptr<Stream> stream;
    Buffer received;             ///< read, not yet used
    std::uint64_t exchanges = 0; ///< requests it has carried
    bool personal = false;       ///< the upstream takes it for one user: no other client may use it
    /// Over TLS: by what its certificate was accepted, which the target does not say.
    std::shared_ptr<const tls::DialContext> accepted_by{};

private:
    friend class IdlePool;
    static void on_idle_expired(void* self) noexcept;
    Deadline idle_deadline;
    class IdlePool* pool = nullptr; // set while it waits there
    Deadline::Clock::time_point kept_since{};
    bool taken_over = false; // by another worker: what is left of it waits for its own
    std::size_t hash = 0;
    Connection* older = nullptr;
    Connection* newer = nullptr;
};
using ConnectionPtr = std::unique_ptr<Connection>;

/// False when the upstream has closed it, or sent something nobody asked for, as far as is known without
/// waiting.
bool is_quiet(const Connection& connection);

/// Sends the PROXY header of a new connection, if it has one: a dial leaves it to go along with the first bytes, so who
/// does not write at once calls this.
void push(const Connection& connection);

/// A way to reach upstreams.
class Dialer {
public:
    virtual ~Dialer() = default;

    /// A connection for one use at a time. `fresh`: never one that was used before.
    /// Errors: `refused`, `timed_out`, `denied`, `system`; side upstream, or whoever chose a forbidden address.
    virtual Task<Result<ConnectionPtr>> dial(Target target, bool fresh) = 0;

    /// It carried a whole exchange and could carry another: keep it for later, or close it.
    virtual void give_back(ConnectionPtr connection) = 0;
};

} // namespace gw::upstream
