#pragma once

#include "gateway/base/deadline.h"
#include "gateway/base/descriptor.h"
#include "gateway/base/slab.h"
#include "gateway/intake/listener.h"
#include "gateway/session/connection_filter.h"
#include "gateway/session/counters.h"
#include "gateway/session/datagrams.h"
#include "gateway/session/gate.h"
#include "gateway/session/generation.h"
#include "gateway/session/record_batch.h"
#include "gateway/session/refusals.h"
#include "gateway/session/session.h"
#include "gateway/upstream/direct.h"
#include "gateway/upstream/pool.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace gw::session {

struct ConnectionList {
    std::string json;         ///< objects, comma-separated, at most `limit`
    std::size_t listed = 0;   ///< that many
    std::size_t matching = 0; ///< that fit, listed or not
    std::size_t total = 0;    ///< all there are
};
struct FoundConnection {
    std::string record; ///< as `append_detail` writes it; empty: none
    GenerationPtr generation;
};

/// One thread, one io_context, its own listening sockets, upstream connections and inspectors. A connection stays where
/// it was accepted; only one to an upstream that is idle may be taken over by another worker. The public calls may come
/// from any thread; what they do is done on the worker's.
class Worker final : public Host {
public:
    Worker(std::size_t number, Gate& gate, Refusals& refusals, LogWriter& log, upstream::IdleShare& idle,
           std::string id_prefix);
    ~Worker() override; ///< joins; no session may be left then
    /// Stops, waits for the thread, and hands over its last log lines.
    void join();

    /// From now on new connections are served by this generation. Listening sockets that are not in `keep` are closed,
    /// after who waits there was accepted for the generation before; `add` are accepted from. `done` is called on the
    /// worker's thread.
    void adopt(GenerationPtr generation, std::vector<intake::ListeningSocket> add, std::vector<std::string> keep,
               std::function<void()> done);
    /// Accepts nothing more than who waits already (`gently`: another process has the same sockets, and accepts them);
    /// idle connections end now (`gently`: after their next request), others after what they are doing.
    /// `done`: called on the worker's thread when it accepts nothing more.
    void drain(bool gently = false, std::function<void()> done = {});
    /// Ends all connections.
    void stop();

    /// Called on the worker's thread when it comes round its loop: a sign of life.
    void beat(std::function<void()> take);
    /// A copy of the counters, handed over on the worker's thread.
    void count(std::function<void(Counters)> take);
    /// Connections under way that fit, the newest first.
    void connections(ConnectionFilter filter, std::function<void(ConnectionList)> take);
    /// The connection of that id, or from that client (the newest); null record: there is none here.
    void find(std::string id, std::optional<Endpoint> client, std::function<void(FoundConnection)> take);
    /// Memory is short: ends what is idle, kept upstream connections included.
    void shed_idle();
    /// Memory is nearly gone: resets a tenth of the connections that hold something, those that hold most first.
    void shed_largest();

    // Host, for the sessions of this worker.
    Surroundings surroundings() override;
    void began(Session& session) override;
    Result<> named(Session& session) override;
    void ended(Session& session) override;
    void request_ended(const proxy::ExchangeRecord& record, const Session& session) override;

private:
    struct Acceptor;
    Task<void> accept_from(Acceptor& acceptor);
    int accept_one(Acceptor& acceptor); // errno; 0: accepted
    void close_when_empty(Acceptor& acceptor);
    void admit(Descriptor accepted, const sockaddr_storage& peer, Acceptor& acceptor);
    struct Ended {
        Slab* sessions = nullptr;
        void operator()(Session* session) const noexcept;
    };
    using SessionPtr = std::unique_ptr<Session, Ended>;
    void serve(Descriptor socket, const sockaddr_storage& peer, const intake::ListenerSettings& listener,
               Gate::Pass pass);
    void serve(SessionPtr session);
    void let_rest(SessionPtr session);
    void note_rest();
    void give_back_memory() noexcept;
    std::shared_ptr<void> admit_flow(const std::string& listener, const Endpoint& client);
    void note_turned_away(TurnedAway reason, const std::string& listener, const Endpoint& client);
    void install(GenerationPtr generation);
    void note_source(std::string_view listener, upstream::Source source, std::string_view fallback);
    void wait_for_last(std::chrono::steady_clock::time_point until);
    void await_answers(std::chrono::steady_clock::time_point until);

    std::size_t number_;
    Gate& gate_;
    Refusals& refusals_;
    upstream::IdleShare& idle_;
    std::string id_prefix_;
    std::uint64_t next_id_ = 1;
    Slab sessions_{sizeof(Session)};
    asio::io_context io_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
    DeadlineWheel wheel_{io_.get_executor()};
    RecordBatch records_;
    GenerationPtr generation_;
    std::shared_ptr<waf::Inspector> inspector_;
    waf::InspectorProcesses* inspector_of_ = nullptr;
    std::unique_ptr<upstream::DirectDialer> dialer_;
    std::unique_ptr<upstream::PoolDialer> pools_; // over `dialer_`
    std::unique_ptr<const Workplace> workplace_;
    std::vector<std::unique_ptr<Acceptor>> acceptors_;
    Session* first_ = nullptr; // those under way
    Counters counters_;
    Datagrams datagrams_;
    std::optional<Gate::Pass> datagrams_pass_; // while a drain waits for answers
    proxy::Draining draining_ = proxy::Draining::no;
    std::uint64_t newest_ = 0; // number of generation_
    std::size_t at_rest_ = 0;  // that began to rest since memory was last given back
    std::chrono::steady_clock::time_point give_back_until_{};
    Deadline give_back_memory_;
    std::thread thread_;
};

} // namespace gw::session
