#pragma once

#include "gateway/base/deadline.h"
#include "gateway/datagram/counters.h"
#include "gateway/datagram/flow_table.h"
#include "gateway/datagram/inbox.h"
#include "gateway/datagram/reply_sockets.h"
#include "gateway/datagram/upstream_socket.h"
#include "gateway/upstream/guard.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <string>

namespace gw::datagram {

/// What is done with what comes in at a listener.
struct Policy {
    std::string listener;
    Source source = Source::client;
    bool denies = false;
};

/// A listener's socket, and what was said of it when its flows began.
struct Listener : Watched {
    Listener() : Watched(Kind::listener) {}
    std::string key;
    Policy policy;
    std::uint64_t kernel_drops = 0; ///< counted already
};

/// All of UDP of one worker: takes datagrams from its listening sockets, keeps the flows, and passes on what goes
/// either way. Runs on the worker's thread; never waits.
class Forwarder {
public:
    /// The worker, as told of flows.
    class Host {
    public:
        virtual ~Host() = default;
        /// Whether one more may begin. Null: it may not. What is given stays with the flow until its end.
        virtual std::shared_ptr<void> admit(const std::string& listener, const Endpoint& client) = 0;
        virtual void flow_began(Flow& flow) = 0; ///< gives it its number
        virtual void flow_ended(const Flow& flow) = 0;
    };

    Forwarder(boost::asio::io_context& io, DeadlineWheel& wheel, Host& host);
    ~Forwarder();

    /// Of the next generation, for new flows; those under way go on as they began.
    void renew(const Settings& settings, std::shared_ptr<const upstream::Guard> guard, std::vector<Policy> policies);
    /// Takes datagrams from this socket. `key` names it. Errors: `system`.
    Result<> listen(std::string key, std::string listener, Descriptor socket);
    /// Answers from this port of others' addresses (netfilter/reply_socket.h).
    void answer_from(std::string key, const Endpoint& bound, Descriptor socket)
    {
        replies_.add(std::move(key), bound, std::move(socket));
    }
    /// Closes the sockets that `keep` does not name, and ends the flows of listening ones.
    void keep_only(const std::vector<std::string>& keep);
    /// Takes nothing new from clients; answers still go to them.
    void close_listeners();
    /// Ends all flows.
    void end_flows();

    Counters counters();
    const FlowTable& flows() const { return flows_; }
    void for_each_flow(const std::function<bool(Flow&)>& visit) { flows_.for_each(visit); }

private:
    void wait();
    void serve_events();
    void receive_from(Listener& listener);
    void sort_in(Listener& listener, std::size_t slot);
    Flow* flow_for(Listener& listener, const FlowKey& key, std::size_t size_bytes);
    Flow* begin_flow(Listener& listener, const FlowKey& key, std::size_t size_bytes);
    Result<UpstreamSocket> open_socket(const FlowKey& key, Source source);
    void send_upstream(Flow& flow);
    void note_sent(Flow& flow, const Sent& sent, Drop side);
    void receive_from(Flow& flow);
    void note_error(Flow& flow, int error);
    void tell(Unreachable what, const FlowKey& flow, std::size_t size_bytes, bool limited);
    void drop(Drop why, std::uint64_t count = 1);
    void end(Flow& flow, Ending why);
    void sweep();
    void sweep_later();
    void count_kernel_drops(Listener& listener);
    bool watch(Watched& watched);
    void close(Watched& watched);

    boost::asio::io_context& io_;
    Host& host_;
    Settings settings_;
    std::shared_ptr<const upstream::Guard> guard_;
    std::vector<Policy> policies_;
    boost::asio::posix::stream_descriptor events_; // an epoll of our own
    std::vector<std::unique_ptr<Listener>> listeners_;
    FlowTable flows_;
    Inbox inbox_;
    RawSockets raw_;
    ReplySockets replies_;
    Counters counters_;
    Clock::time_point now_{};
    std::vector<Flow*> touched_; // by the batch at hand
    std::array<std::size_t, Inbox::slots> next_slot_{};
    std::array<std::uint16_t, Inbox::slots> segment_bytes_{};
    std::vector<Outgoing> outgoing_;
    double denials_left_ = 0; // ICMP messages about what is denied, by rate
    Clock::time_point denials_at_{};
    Deadline sweep_deadline_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

} // namespace gw::datagram
