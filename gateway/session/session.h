#pragma once

#include "gateway/base/room.h"
#include "gateway/base/socket_stream.h"
#include "gateway/proxy/proxy.h"
#include "gateway/session/gate.h"
#include "gateway/session/generation.h"
#include "gateway/session/record_limit.h"
#include "gateway/upstream/dialer.h"
#include "waf/inspector.h"

#include <atomic>
#include <boost/asio/bind_allocator.hpp>
#include <memory>
#include <optional>

namespace gw::session {

class Session;

/// What all sessions of a worker use of it.
struct Workplace {
    upstream::Dialer& dialer;
    const proxy::Draining& draining;
    const std::atomic<bool>& shedding; ///< memory is short: nothing new is begun
    MemoryAllowance& memory;
    const std::uint64_t& newest; ///< number of the generation that new connections get
};

/// The same, and what it uses of its generation. It keeps this copy to its end.
struct Surroundings {
    GenerationPtr generation;
    std::shared_ptr<waf::Inspector> inspector;
    const Workplace& worker; ///< outlives it
};

/// The worker, as a session sees it.
class Host {
public:
    virtual ~Host() = default;
    virtual Surroundings surroundings() = 0;
    virtual void began(Session& session) = 0;
    /// A PROXY header has said who the client is. Error: `denied`, by a limit of connections of one client.
    virtual Result<> named(Session& session) = 0;
    virtual void ended(Session& session) = 0;
    virtual void request_ended(const proxy::ExchangeRecord& record, const Session& session) = 0;
};

/// One client connection, from accept to its end: STYLE's way of a connection, in serve.cpp.
class Session final : public proxy::Observer {
public:
    Session(Host& host, Descriptor socket, DeadlineWheel& wheel, const Endpoint& client,
            const intake::ListenerSettings& listener, std::string id);
    ~Session() override;

    /// To its end, or until it rests; then, once it was asked again, from there.
    Task<Result<>> serve();
    /// A client that has asked nothing for a while: nothing waits in `serve`, and little is held.
    bool rests() const { return rests_; }
    /// `then` is called once, later: without an error when it is to be served, with one when it has ended. False: that
    /// is so now, and it is not called.
    template <class Then> bool when_asked(Then&& then)
    {
        if (stream_.failure("wait") || !stream_.is_quiet()) return false;
        stream_.when_readable(asio::bind_allocator(room_.allocator(), std::forward<Then>(then)));
        return true;
    }
    /// The gateway stops, or memory is short, and it is not about to ask its first request.
    bool must_end() const;
    const ConnectionRecord& record() const { return record_; }
    const GenerationPtr& generation() const { return around_.generation; }
    /// The gateway stops: a connection between two requests ends now, and soon one before its first.
    void drain();
    /// Memory is short: a connection between two requests ends now. True: it was one.
    bool end_if_idle();
    void abort() { stream_.close(true); }
    /// Memory held for this client by the gateway, about: what it sent and was not passed on yet.
    std::size_t held_bytes() const;
    /// The same, and says why.
    void abort(Error why)
    {
        set_error(std::move(why));
        abort();
    }
    /// The first reason is the one that counts.
    void set_error(Error error)
    {
        if (!record_.error) record_.error = std::make_unique<const Error>(std::move(error));
    }

    void ended(const proxy::ExchangeRecord& exchange) override
    {
        record_.has_exempt_request = record_.has_exempt_request || is_exempt(exchange);
        host_.request_ended(exchange, *this);
    }

private:
    friend class Worker;
    bool is_idle() const;
    Task<Result<bool>> understand();
    Task<Result<>> take_proxy_header();
    std::string proxy_header(upstream::SendProxy wanted) const;
    Task<Result<Hello>> greet();
    void note(const Hello& hello);
    Task<Result<>> dial(upstream::Target target);
    Task<Result<Hello>> greet_silent_client();
    Task<Result<Hello>> greet_without_server(Error unreachable);
    Result<> check_protocol(const Hello& hello) const;
    route::Action otherwise() const;
    bool keeps_address() const;
    void give_source(upstream::Target& target) const;
    std::shared_ptr<const netfilter::Intercept> within() const;
    upstream::Target original_target() const;
    Result<upstream::Target> named_target(const Hello& hello) const;
    upstream::Target pool_target(std::size_t number) const;
    upstream::Target early_target() const;
    Result<upstream::Target> relay_target(const Hello& hello);
    Task<Result<>> dial_for(const Hello& hello);
    Task<Result<>> relay_over(upstream::Connection& upstream, const relay::Settings& settings);
    proxy::Surroundings around() const;
    Task<Result<proxy::Served>> serve_http();
    Task<Result<>> relay_upgraded();

    std::optional<Gate::Pass> pass_; // given up after all else
    Host& host_;
    Surroundings around_;
    SocketStream stream_;
    const intake::ListenerSettings& listener_; // of around_.generation
    Buffer received_;
    upstream::ConnectionPtr early_;
    std::unique_ptr<upstream::Introduction> introduction_; // for pools that send it
    ConnectionRecord record_;
    bool rests_ = false;
    Room<48> room_;           // for who waits meanwhile
    Session* next_ = nullptr; // of the worker's list
    Session** link_ = nullptr;
};

} // namespace gw::session
