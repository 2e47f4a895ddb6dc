#include "gateway/session/worker.h"

#include "gateway/base/log.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <cassert>
#include <cerrno>
#include <functional>
#include <pthread.h>
#include <sys/socket.h>

namespace gw::session {

namespace {

using namespace std::chrono_literals;

// What one turn of a worker may take before the others get theirs: that many connections of one listening socket.
// Elsewhere: 1 MiB of a relay that splices (relay/direction.cpp), one buffer of a relay that copies (18 KiB), one read
// of a body (32 KiB).
constexpr int accepts_in_a_row = 16;
constexpr int most_in_a_queue = 65'536; // more than it can hold
constexpr auto accept_pause = 50ms;
constexpr auto stop_limit = 5s;
constexpr auto answers_limit = 1s;

// Memory that is short is given back by those who hold most of it, a part of them at a time.
constexpr std::size_t shed_share = 10;
constexpr std::size_t worth_shedding_bytes = 16 * 1024;

bool is_shortage(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

/// The other side sees a reset, at once, and nothing is left of the connection here.
void reset(Descriptor socket)
{
    const linger at_once{1, 0};
    ::setsockopt(socket.number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

} // namespace

struct Worker::Acceptor {
    Acceptor(Poller& poller, asio::io_context& io, std::string key_, Gate::Listener& gate_,
             intake::ListeningSocket&& from)
        : key(std::move(key_)), listener(std::move(from.listener)), gate(gate_),
          socket(poller, std::move(from.socket), Watched::Trigger::level), pause(io)
    {}
    std::string key;
    std::string listener;
    Gate::Listener& gate;
    Watched socket;
    asio::steady_timer pause;
    int in_a_row = 1; // connections that are taken in the next turn
    bool closed = false;

    void close()
    {
        closed = true;
        socket.close();
        pause.cancel();
    }
};

Worker::Worker(std::size_t number, Gate& gate, Refusals& refusals, LogWriter& log, upstream::IdleShare& idle,
               std::string id_prefix)
    : number_(number), gate_(gate), refusals_(refusals), idle_(idle), id_prefix_(std::move(id_prefix)),
      records_(number, log, wheel_),
      datagrams_(io_, wheel_,
                 {counters_, next_id_,
                  [this](const std::string& listener, const Endpoint& client) { return admit_flow(listener, client); },
                  [this](const datagram::Flow& flow) {
                      const auto id = id_prefix_ + std::to_string(flow.number);
                      records_.add(
                          generation_->session.access.format,
                          {RecordKind::flow, flow.error.has_value(), is_exempt(flow)},
                          [&](std::string& out) { append_json_line(out, flow, id); },
                          [&](std::string& out) { append_human_line(out, flow, id); });
                  }}),
      give_back_memory_(
          wheel_, [](void* self) noexcept { static_cast<Worker*>(self)->give_back_memory(); }, this)
{
    thread_ = std::thread{[this] {
        const auto name = "worker-" + std::to_string(number_);
        ::pthread_setname_np(::pthread_self(), name.c_str());
        io_.run();
    }};
}

void Worker::join()
{
    if (!thread_.joinable()) return;
    stop();
    thread_.join();
    records_.finish();
}

Worker::~Worker()
{
    join();
    assert(first_ == nullptr);
}

// --- what others ask of it

void Worker::adopt(GenerationPtr generation, std::vector<intake::ListeningSocket> add, std::vector<std::string> keep,
                   std::function<void()> done)
{
    auto work = [this, generation = std::move(generation), add = std::make_shared<decltype(add)>(std::move(add)),
                 keep = std::move(keep), done = std::move(done)]() mutable {
        for (auto& acceptor : acceptors_) {
            const bool stays = std::find(keep.begin(), keep.end(), acceptor->key) != keep.end();
            if (!stays) close_when_empty(*acceptor); // by the configuration that knows its listener
        }
        install(std::move(generation));
        datagrams_.keep_only(keep);
        if (draining_ != proxy::Draining::no) add->clear();
        for (auto& socket : *add) {
            if (datagrams_.take(socket)) continue;
            auto key = socket.listener + " " + socket.bound.text();
            auto& gate = gate_.listener(socket.listener);
            auto& placed = *acceptors_.emplace_back(
                std::make_unique<Acceptor>(wheel_.poller(), io_, std::move(key), gate, std::move(socket)));
            auto closed = [this, &placed](std::exception_ptr bug) {
                if (bug) std::rethrow_exception(bug);
                std::erase_if(acceptors_, [&](const auto& each) { return each.get() == &placed; });
            };
            asio::co_spawn(io_, accept_from(placed), std::move(closed));
        }
        done();
    };
    asio::post(io_, std::move(work));
}

void Worker::install(GenerationPtr generation)
{
    if (dialer_ == nullptr) {
        dialer_ = std::make_unique<upstream::DirectDialer>(io_, wheel_, generation->upstream, generation->guard,
                                                           generation->tls, idle_, number_);
        pools_ = std::make_unique<upstream::PoolDialer>(*dialer_, generation->upstream);
        workplace_ =
            std::make_unique<Workplace>(Workplace{*pools_, draining_, gate_.shedding(), gate_.memory(), newest_});
    } else {
        dialer_->renew(generation->upstream, generation->guard, generation->tls);
        pools_->renew(generation->upstream);
    }
    if (generation->inspectors == nullptr) {
        inspector_.reset();
        inspector_of_ = nullptr;
    } else if (inspector_of_ != generation->inspectors.get()) {
        inspector_ = generation->inspectors->for_worker(io_, wheel_);
        inspector_of_ = generation->inspectors.get();
    }
    counters_.routes.assign(generation->site.routes.routes().size(), {});
    for (const auto& listener : generation->listeners) counters_.listeners[listener.name];
    datagrams_.install(*generation);
    newest_ = generation->number;
    generation_ = std::move(generation);
}

void Worker::drain(bool gently, std::function<void()> done)
{
    // Entered here and not later: who waits for the last one begins to look at once.
    asio::post(io_, [this, gently, done = std::move(done), pass = gate_.hold()]() mutable {
        draining_ = gently ? proxy::Draining::gently : proxy::Draining::now;
        for (auto& acceptor : acceptors_) gently ? acceptor->close() : close_when_empty(*acceptor);
        datagrams_.drain();
        datagrams_pass_.emplace(std::move(pass));
        await_answers(std::chrono::steady_clock::now() + answers_limit);
        if (done) done();
        if (gently) return;
        for (auto* session = first_; session != nullptr; session = session->next_) session->drain();
        if (dialer_ != nullptr) dialer_->close_idle();
    });
}

/// What was asked over UDP before the end is mostly answered in a moment; only that holds the drain up.
void Worker::await_answers(std::chrono::steady_clock::time_point until)
{
    if (datagrams_.waiting() == 0 || std::chrono::steady_clock::now() >= until) {
        datagrams_pass_.reset();
        return;
    }
    auto again = std::make_shared<asio::steady_timer>(io_, 10ms);
    again->async_wait([this, again, until](boost::system::error_code) { await_answers(until); });
}

void Worker::stop()
{
    asio::post(io_, [this] {
        draining_ = proxy::Draining::now;
        for (auto& acceptor : acceptors_) acceptor->close();
        for (auto* session = first_; session != nullptr; session = session->next_) session->abort();
        datagrams_.end_flows();
        wait_for_last(std::chrono::steady_clock::now() + stop_limit);
    });
}

/// Aborted sessions end by themselves at their next step; the longest wait is one for an inspector's verdict.
void Worker::wait_for_last(std::chrono::steady_clock::time_point until)
{
    if (first_ == nullptr || std::chrono::steady_clock::now() >= until) {
        io_.stop();
        return;
    }
    auto again = std::make_shared<asio::steady_timer>(io_, 10ms);
    again->async_wait([this, again, until](boost::system::error_code) { wait_for_last(until); });
}

void Worker::beat(std::function<void()> take) { asio::post(io_, std::move(take)); }

void Worker::shed_idle()
{
    asio::post(io_, [this] {
        for (auto* session = first_; session != nullptr; session = session->next_)
            if (session->end_if_idle()) ++counters_.shed;
        if (dialer_ != nullptr) dialer_->close_idle();
    });
}

void Worker::shed_largest()
{
    asio::post(io_, [this] {
        std::vector<std::pair<std::size_t, Session*>> holders;
        for (auto* session = first_; session != nullptr; session = session->next_)
            if (const auto bytes = session->held_bytes(); bytes >= worth_shedding_bytes)
                holders.emplace_back(bytes, session);
        const auto many = (holders.size() + shed_share - 1) / shed_share;
        const auto end = holders.begin() + static_cast<std::ptrdiff_t>(many);
        std::partial_sort(holders.begin(), end, holders.end(), std::greater<>{});
        for (auto each = holders.begin(); each != end; ++each) {
            each->second->abort(Error{Fault::refused, Side::gateway, "reset: limits.memory is used up", {}});
            ++counters_.shed;
        }
    });
}

// --- accepting

Task<void> Worker::accept_from(Acceptor& acceptor)
{
    while (!acceptor.closed) {
        auto ready = co_await acceptor.socket.readable();
        auto& [failed] = ready;
        if (failed || acceptor.closed) co_return;
        bool pause = false;
        // As many as there were of late: the call that finds nobody more is saved when they come one by one.
        int accepts = acceptor.in_a_row;
        acceptor.in_a_row = std::min(2 * accepts, accepts_in_a_row);
        for (; accepts > 0; --accepts) {
            const int error = accept_one(acceptor);
            if (error == 0) {
                pause = false;
                continue;
            }
            if (error == EAGAIN) {
                acceptor.in_a_row = 1;
                break;
            }
            // One connection may be gone (ECONNABORTED) or forbidden (EPERM): the next is tried. When that is all there
            // is, or something is short, the socket stays readable, and without a pause this would spin.
            pause = true;
            if (!is_shortage(error)) continue;
            if (dialer_ != nullptr) dialer_->close_idle(); // kept connections are of less use than new ones
            break;
        }
        if (!pause) continue;
        acceptor.pause.expires_after(accept_pause);
        auto paused = co_await acceptor.pause.async_wait(as_outcome);
        (void)paused;
    }
}

int Worker::accept_one(Acceptor& acceptor)
{
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    Descriptor accepted{
        ::accept4(acceptor.socket.number(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (accepted.is_open()) {
        admit(std::move(accepted), peer, acceptor);
        return 0;
    }
    const int error = errno;
    if (error != EAGAIN) ++counters_.accept_failures[error];
    return error;
}

/// Who is in the queue has been told that he is connected. Whoever closes the socket lets nobody begin there any more.
void Worker::close_when_empty(Acceptor& acceptor)
{
    for (int left = acceptor.closed ? 0 : most_in_a_queue; left > 0; --left) {
        const int error = accept_one(acceptor);
        if (error != 0 && error != ECONNABORTED && error != EPERM) break;
    }
    acceptor.close();
}

void Worker::admit(Descriptor accepted, const sockaddr_storage& peer, Acceptor& acceptor)
{
    const auto* settings = generation_->listener(acceptor.listener);
    if (settings == nullptr) return; // closed with this generation; the socket closes here
    const auto client = from_sockaddr(peer);
    const Caps caps{settings->max_connections, settings->max_per_client};
    auto entered = settings->proxy_protocol ? gate_.enter_unnamed(acceptor.gate, caps)
                                            : gate_.enter(acceptor.gate, caps, client.address);
    if (const auto* reason = std::get_if<TurnedAway>(&entered)) {
        reset(std::move(accepted));
        note_turned_away(*reason, acceptor.listener, client);
        return;
    }
    serve(std::move(accepted), peer, *settings, std::move(std::get<Gate::Pass>(entered)));
}

std::shared_ptr<void> Worker::admit_flow(const std::string& listener, const Endpoint& client)
{
    const auto* settings = generation_->listener(listener);
    if (settings == nullptr) return nullptr;
    auto entered = gate_.enter_flow(gate_.listener(listener), {settings->max_connections, settings->max_per_client},
                                    client.address);
    if (auto* pass = std::get_if<Gate::Pass>(&entered)) return std::make_shared<Gate::Pass>(std::move(*pass));
    note_turned_away(std::get<TurnedAway>(entered), listener, client);
    return nullptr;
}

void Worker::note_turned_away(TurnedAway reason, const std::string& listener, const Endpoint& client)
{
    ++counters_.turned_away;
    ++counters_.listeners[listener].turned_away[static_cast<std::size_t>(reason)];
    refusals_.note(reason, listener, client, Refusals::Clock::now());
}

Result<> Worker::named(Session& session)
{
    const auto& listener = session.listener_;
    const auto& client = session.record().flow.client;
    const auto reason = gate_.name(*session.pass_, {listener.max_connections, listener.max_per_client}, client.address);
    if (!reason) return {};
    note_turned_away(*reason, listener.name, client);
    return Error{Fault::denied, Side::client, "as many connections of this client as there may be", {}};
}

void Worker::serve(Descriptor socket, const sockaddr_storage& peer, const intake::ListenerSettings& listener,
                   Gate::Pass pass)
{
    auto id = id_prefix_ + std::to_string(next_id_++);
    SessionPtr session{new (sessions_.take())
                           Session(*this, std::move(socket), wheel_, from_sockaddr(peer), listener, std::move(id)),
                       {&sessions_}};
    session->pass_.emplace(std::move(pass));
    serve(std::move(session));
}

void Worker::serve(SessionPtr session)
{
    auto& started = *session;
    auto finished = [this, session = std::move(session)](std::exception_ptr bug, Result<> end) mutable {
        if (bug) std::rethrow_exception(bug);
        if (!end)
            session->set_error(end.error());
        else if (session->rests())
            let_rest(std::move(session));
    };
    asio::co_spawn(io_, started.serve(), std::move(finished));
}

// --- for its sessions

Surroundings Worker::surroundings() { return {generation_, inspector_, *workplace_}; }

void Worker::began(Session& session)
{
    session.next_ = first_;
    if (first_ != nullptr) first_->link_ = &session.next_;
    first_ = &session;
    session.link_ = &first_;
    ++counters_.connections;
    ++counters_.active;
    auto& listener = counters_.of_listener(session.record().flow.listener);
    ++listener.connections;
    ++listener.active;
}

void Worker::ended(Session& session)
{
    *session.link_ = session.next_;
    if (session.next_ != nullptr) session.next_->link_ = session.link_;
    const auto& record = session.record();
    --counters_.active;
    --counters_.of_listener(record.flow.listener).active;
    counters_.from_client_bytes += record.relayed.from_client_bytes + record.live.from_client_bytes;
    counters_.to_client_bytes += record.relayed.to_client_bytes + record.live.to_client_bytes;
    if (record.introduced) ++counters_.proxy_headers[static_cast<std::size_t>(record.introduced->fate)];
    if (record.error)
        ++counters_.faults[static_cast<std::size_t>(record.error->side)][static_cast<std::size_t>(record.error->fault)];
    if (record.live.requests == 0) note_source(record.flow.listener, record.source, record.source_fallback);
    if (record.live.requests == 0 && record.live.route >= 0 && session.generation() == generation_) {
        auto& route = counters_.routes[static_cast<std::size_t>(record.live.route)];
        ++route.hits;
        route.last_hit_epoch_seconds = std::time(nullptr);
    }
    const auto now = std::chrono::steady_clock::now();
    records_.add(
        generation_->session.access.format, {RecordKind::connection, record.error != nullptr, is_exempt(record)},
        [&](std::string& out) { append_json_line(out, record, now); },
        [&](std::string& out) { append_human_line(out, record, now); });
}

/// Counted each time, said once.
void Worker::note_source(std::string_view listener, upstream::Source source, std::string_view fallback)
{
    if (fallback.empty()) return;
    if (counters_.of_listener(listener).source_fallbacks++ != 0) return;
    const std::string name{listener};
    const std::string used = source == upstream::Source::gateway ? "the gateway's address" : "a port of its own";
    log::warning_once("source of " + name, "listener " + name + ": an upstream connection got " + used +
                                               ", not the client's: " + std::string(fallback) +
                                               "; records tell it each time (source_fallback)");
}

void Worker::request_ended(const proxy::ExchangeRecord& record, const Session& session)
{
    ++counters_.requests;
    if (record.status >= 100 && record.status < 600)
        ++counters_.responses[static_cast<std::size_t>(record.status / 100 - 1)];
    if (!record.reused) note_source(session.record().flow.listener, record.source, record.source_fallback);
    if (record.upstream.port != 0) ++(record.reused ? counters_.upstream_reuses : counters_.upstream_connections);
    if (record.route >= 0 && session.generation() == generation_) {
        auto& route = counters_.routes[static_cast<std::size_t>(record.route)];
        ++route.hits;
        route.last_hit_epoch_seconds =
            std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
                .count();
    }
    bool scored = false;
    if (record.request_verdict) {
        using Action = waf::Verdict::Action;
        const auto action_of = [](const auto& verdict) { return verdict ? verdict->action : Action::pass; };
        const auto request = action_of(record.request_verdict);
        const auto response = action_of(record.response_verdict);
        scored = !record.request_verdict->hits.empty() ||
                 (record.response_verdict && !record.response_verdict->hits.empty());
        if (request == Action::block || response == Action::block)
            ++counters_.waf_blocked;
        else if (request == Action::failed || response == Action::failed)
            ++counters_.waf_failed;
        else
            ++(scored ? counters_.waf_detected : counters_.waf_pass);
    }
    const auto duration = record.ended - record.began;
    counters_.request_durations.add(duration);
    if (record.upstream.port != 0) counters_.added_durations.add(duration - record.upstream_wait);
    const auto& connection = session.record();
    const bool notable = record.error || scored || record.incident || record.status >= 400;
    const auto& access = generation_->session.access;
    records_.add(
        access.format, {RecordKind::request, notable, is_exempt(record)},
        [&](std::string& out) { append_json_line(out, record, connection, access.whole_query); },
        [&](std::string& out) { append_human_line(out, record, connection, access.whole_query); });
}

} // namespace gw::session
