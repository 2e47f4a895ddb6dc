#include "gateway/datagram/forwarder.h"

#include "gateway/base/log.h"
#include "gateway/base/socket_options.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <linux/sock_diag.h>
#include <sys/epoll.h>
#include <sys/socket.h>

// What a datagram costs, as planned (the row "udp" of ./dev bench compares it):
//
//                         system calls                                            copies   allocations
//   from a client         a share of recvmmsg (32), sendmsg for all of a flow     2        0
//   to a client           recvmmsg, sendmsg for all that came                     2        0
//   each wake             epoll_wait twice, epoll_ctl                             -        0
//   first of a flow       socket, 4 setsockopt or 1, bind, connect, epoll_ctl     -        1
//   first answer          socket, 2 setsockopt, bind, once for each port          -        2
//   end of a flow         epoll_ctl, close                                        -        0
//
// The sockets stand in an epoll of our own, level-triggered, of which Asio knows the one descriptor: a flow then costs
// no handler, no lock and no re-arming, and one wake serves all flows that are ready.
//
// A flow that ended stays in memory until the events of that moment are done, since one of them may still name it.

namespace gw::datagram {

namespace {

using namespace std::chrono_literals;

constexpr int most_events = 64;
constexpr int rounds_in_a_row = 4;  // then others of this thread have their turn
constexpr int batches_in_a_row = 4; // of one listener, then flows have theirs
constexpr int bulk_batch = 8;       // datagrams at once that make a flow worth UDP_GRO
constexpr auto reply_socket_idle_limit = 60s;
constexpr double denials_per_second = 100;

} // namespace

Forwarder::Forwarder(boost::asio::io_context& io, DeadlineWheel& wheel, Host& host)
    : io_(io), host_(host), events_(io), replies_(raw_, settings_.reply_sockets),
      sweep_deadline_(
          wheel, [](void* self) noexcept { static_cast<Forwarder*>(self)->sweep(); }, this)
{
    touched_.reserve(Inbox::slots);
    outgoing_.reserve(Inbox::slots);
}

Forwarder::~Forwarder() { *alive_ = false; }

// --- what the worker asks of it

void Forwarder::renew(const Settings& settings, std::shared_ptr<const upstream::Guard> guard,
                      std::vector<Policy> policies)
{
    settings_ = settings;
    guard_ = std::move(guard);
    policies_ = std::move(policies);
    replies_.set_limit(settings_.reply_sockets);
    for (auto& listener : listeners_)
        for (const auto& policy : policies_)
            if (policy.listener == listener->policy.listener) listener->policy = policy;
    if (flows_.size() > 0) sweep_later();
}

Result<> Forwarder::listen(std::string key, std::string listener, Descriptor socket)
{
    if (!events_.is_open()) {
        const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
        if (epoll < 0) return system_error("epoll for UDP");
        boost::system::error_code failed;
        events_.assign(epoll, failed);
        if (failed) {
            ::close(epoll);
            return Error{Fault::system, Side::gateway, "epoll for UDP", failed};
        }
        wait();
    }
    const auto before = counters_.drops[static_cast<std::size_t>(Drop::queue_full)];
    auto made = std::make_unique<Listener>();
    made->key = std::move(key);
    made->policy.listener = std::move(listener);
    for (const auto& policy : policies_)
        if (policy.listener == made->policy.listener) made->policy = policy;
    made->socket = std::move(socket);
    receive_segments(made->socket.number());
    count_kernel_drops(*made);
    counters_.drops[static_cast<std::size_t>(Drop::queue_full)] = before; // those were another process's
    if (!watch(*made)) return system_error("watching a UDP socket");
    listeners_.push_back(std::move(made));
    return {};
}

void Forwarder::keep_only(const std::vector<std::string>& keep)
{
    replies_.keep_only(keep);
    const auto stays = [&](const auto& listener) {
        return std::find(keep.begin(), keep.end(), listener->key) != keep.end();
    };
    const auto gone = std::stable_partition(listeners_.begin(), listeners_.end(), stays);
    if (gone == listeners_.end()) return;
    std::vector<Flow*> orphans;
    flows_.for_each([&](Flow& flow) {
        if (std::any_of(gone, listeners_.end(), [&](const auto& each) { return each.get() == flow.listener; }))
            orphans.push_back(&flow);
        return true;
    });
    for (auto* flow : orphans) end(*flow, Ending::closed);
    flows_.bury();
    for (auto listener = gone; listener != listeners_.end(); ++listener) close(**listener);
    listeners_.erase(gone, listeners_.end());
}

void Forwarder::close_listeners()
{
    for (auto& listener : listeners_) {
        count_kernel_drops(*listener);
        close(*listener);
    }
}

void Forwarder::end_flows()
{
    while (auto* flow = flows_.first_to_evict()) end(*flow, Ending::closed);
    flows_.bury();
}

Counters Forwarder::counters()
{
    for (auto& listener : listeners_) count_kernel_drops(*listener);
    counters_.active = flows_.size();
    counters_.waiting = flows_.waiting();
    counters_.reply_sockets = replies_.size();
    return counters_;
}

// --- events

bool Forwarder::watch(Watched& watched)
{
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &watched;
    return ::epoll_ctl(events_.native_handle(), EPOLL_CTL_ADD, watched.socket.number(), &event) == 0;
}

/// Taken out by name: the keeper has the same socket open, and a process that is just being started may have a copy of
/// any, so closing alone would leave it in the epoll.
void Forwarder::close(Watched& watched)
{
    if (!watched.socket.is_open()) return;
    ::epoll_ctl(events_.native_handle(), EPOLL_CTL_DEL, watched.socket.number(), nullptr);
    watched.socket.reset();
}

void Forwarder::wait()
{
    auto ready = [this, alive = alive_](boost::system::error_code failed) {
        if (!*alive || failed) return;
        serve_events();
        wait();
    };
    events_.async_wait(boost::asio::posix::descriptor_base::wait_read, std::move(ready));
}

void Forwarder::serve_events()
{
    std::array<epoll_event, most_events> events;
    for (int round = 0; round < rounds_in_a_row; ++round) {
        const int count = ::epoll_wait(events_.native_handle(), events.data(), most_events, 0);
        if (count <= 0) break;
        now_ = Clock::now();
        for (int i = 0; i < count; ++i) {
            auto& watched = *static_cast<Watched*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (watched.kind == Watched::Kind::listener)
                receive_from(static_cast<Listener&>(watched));
            else if (auto& flow = static_cast<Flow&>(watched); !flow.ended)
                receive_from(flow);
        }
        flows_.bury();
    }
}

// --- from clients

void Forwarder::receive_from(Listener& listener)
{
    for (int batch = 0; batch < batches_in_a_row && listener.socket.is_open(); ++batch) {
        const int count = inbox_.receive(listener.socket.number());
        if (count <= 0) return;
        ++counters_.receives;
        touched_.clear();
        for (std::size_t slot = 0; slot < static_cast<std::size_t>(count); ++slot) sort_in(listener, slot);
        for (auto* flow : touched_)
            if (!flow->ended) send_upstream(*flow);
        if (static_cast<std::size_t>(count) < Inbox::slots) return;
    }
}

/// Hangs one datagram of the batch onto its flow.
void Forwarder::sort_in(Listener& listener, std::size_t slot)
{
    if (inbox_.is_cut(slot)) return drop(Drop::cut);
    const auto control = inbox_.control(slot);
    if (!control.destination) return drop(Drop::no_destination);
    const FlowKey key{inbox_.sender(slot), *control.destination};
    auto* flow = flow_for(listener, key, inbox_.bytes(slot).size());
    if (flow == nullptr) return;
    flows_.touch(*flow, now_);
    segment_bytes_[slot] = control.segment_bytes;
    next_slot_[slot] = Flow::none;
    if (flow->first_slot_ == Flow::none) {
        flow->first_slot_ = slot;
        touched_.push_back(flow);
    } else {
        next_slot_[flow->last_slot_] = slot;
    }
    flow->last_slot_ = slot;
}

/// Null: the datagram goes nowhere, and that is counted.
Flow* Forwarder::flow_for(Listener& listener, const FlowKey& key, std::size_t size_bytes)
{
    if (auto* flow = flows_.find(key)) return flow;
    // The one place where a destination is judged: no address of this host, whoever writes it how.
    if (key.client.port == 0 || !guard_->check(key.destination, upstream::NamedBy::client)) {
        drop(Drop::own_address);
        return nullptr;
    }
    if (listener.policy.denies) {
        drop(Drop::denied);
        tell(Unreachable::port, key, size_bytes, true); // so that a browser falls back from QUIC at once
        return nullptr;
    }
    return begin_flow(listener, key, size_bytes);
}

Flow* Forwarder::begin_flow(Listener& listener, const FlowKey& key, std::size_t size_bytes)
{
    auto pass = host_.admit(listener.policy.listener, key.client);
    if (pass == nullptr) {
        drop(Drop::limited);
        tell(Unreachable::port, key, size_bytes, true);
        return nullptr;
    }
    while (flows_.size() >= settings_.flows) {
        auto& quietest = *flows_.first_to_evict();
        if (quietest.first_slot_ != Flow::none) send_upstream(quietest); // what came in the same batch still goes out
        if (!quietest.ended) end(quietest, Ending::evicted);
    }
    auto opened = open_socket(key, listener.policy.source);
    auto& flow = flows_.add(key, now_);
    flow.began_at = std::chrono::system_clock::now();
    flow.listener = &listener;
    flow.pass = std::move(pass);
    ++counters_.flows;
    host_.flow_began(flow);
    if (sweep_deadline_.at() == Clock::time_point::max()) sweep_later();
    if (opened) {
        flow.socket = std::move(opened->socket);
        flow.source_kept = opened->source_kept;
        if (watch(flow)) return &flow;
        flow.error = system_error("watching a UDP socket");
    } else {
        flow.error = opened.error();
    }
    drop(Drop::no_socket);
    const bool nowhere = flow.error->fault == Fault::refused;
    if (nowhere)
        tell(flow.error->cause.value() == ENETUNREACH ? Unreachable::network : Unreachable::host, key, size_bytes,
             true);
    end(flow, nowhere ? Ending::refused : Ending::failed);
    return nullptr;
}

/// When descriptors or memory run out, the quietest flow gives way.
Result<UpstreamSocket> Forwarder::open_socket(const FlowKey& key, Source source)
{
    auto opened = open_upstream(key, source, settings_.own_mark, *guard_);
    if (opened || opened.error().fault != Fault::system) return opened;
    auto* quietest = flows_.first_to_evict();
    const auto number = opened.error().cause.value();
    if (quietest == nullptr || (number != EMFILE && number != ENFILE)) return opened;
    end(*quietest, Ending::evicted);
    return open_upstream(key, source, settings_.own_mark, *guard_);
}

void Forwarder::note_sent(Flow& flow, const Sent& sent, Drop side)
{
    ++counters_.sends;
    flow.traffic.dropped += sent.dropped;
    if (sent.dropped > 0) drop(side, sent.dropped);
}

void Forwarder::send_upstream(Flow& flow)
{
    outgoing_.clear();
    for (auto slot = flow.first_slot_; slot != Flow::none; slot = next_slot_[slot])
        outgoing_.push_back({inbox_.bytes(slot), segment_bytes_[slot]});
    flow.first_slot_ = flow.last_slot_ = Flow::none;
    const auto sent = send_all(flow.socket.number(), nullptr, outgoing_, flow.upstream_segments);
    for (auto* traffic : {&flow.traffic, &counters_.traffic}) {
        traffic->datagrams_from_client += sent.datagrams;
        traffic->from_client_bytes += sent.bytes;
    }
    note_sent(flow, sent, Drop::to_upstream);
    if (sent.error != 0) note_error(flow, sent.error);
}

// --- to clients

void Forwarder::receive_from(Flow& flow)
{
    const int count = inbox_.receive(flow.socket.number());
    if (count < 0) return note_error(flow, -count);
    if (count == 0) return;
    ++counters_.receives;
    outgoing_.clear();
    for (std::size_t slot = 0; slot < static_cast<std::size_t>(count); ++slot) {
        if (inbox_.is_cut(slot))
            drop(Drop::cut);
        else
            outgoing_.push_back({inbox_.bytes(slot), inbox_.control(slot).segment_bytes});
    }
    flow.answered = true;
    flows_.touch(flow, now_);
    const auto sent = replies_.send(flow.key.destination, flow.key.client, outgoing_, flow.client_segments, now_);
    for (auto* traffic : {&flow.traffic, &counters_.traffic}) {
        traffic->datagrams_to_client += sent.datagrams;
        traffic->to_client_bytes += sent.bytes;
    }
    note_sent(flow, sent, Drop::to_client);
    if (count >= bulk_batch && !flow.segments_in) flow.segments_in = receive_segments(flow.socket.number());
}

/// What the kernel says of a flow's socket: what came in by ICMP ends the flow, and the client is told the same.
void Forwarder::note_error(Flow& flow, int error)
{
    const bool nowhere = error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH || error == EPROTO;
    if (!nowhere) return; // one datagram was lost, as it can be anywhere
    flow.error = Error{Fault::refused,
                       Side::upstream,
                       "UDP to " + flow.key.destination.text(),
                       {error, boost::system::system_category()}};
    const auto what = error == ENETUNREACH    ? Unreachable::network
                      : error == EHOSTUNREACH ? Unreachable::host
                                              : Unreachable::port;
    tell(what, flow.key, 0, false);
    end(flow, Ending::refused);
}

/// `limited`: about what we ourselves stop, at a bounded rate, or a flood with false senders would make us one.
void Forwarder::tell(Unreachable what, const FlowKey& flow, std::size_t size_bytes, bool limited)
{
    if (limited) {
        const std::chrono::duration<double> since = now_ - denials_at_;
        denials_left_ = std::min(denials_per_second, denials_left_ + since.count() * denials_per_second);
        denials_at_ = now_;
        if (denials_left_ < 1) return;
        denials_left_ -= 1;
    }
    if (raw_.send_unreachable(what, flow, size_bytes)) ++counters_.told_unreachable;
}

// --- ends

void Forwarder::drop(Drop why, std::uint64_t count) { counters_.drops[static_cast<std::size_t>(why)] += count; }

void Forwarder::end(Flow& flow, Ending why)
{
    flow.ending = why == Ending::idle && !flow.answered ? Ending::unanswered : why;
    if (flow.ending == Ending::evicted) ++counters_.evicted;
    if (flow.ending == Ending::refused) ++counters_.refused;
    if (!flow.answered) ++counters_.unanswered;
    flows_.remove(flow);
    close(flow);
    flow.pass.reset();
    host_.flow_ended(flow);
}

void Forwarder::sweep()
{
    now_ = Clock::now();
    while (auto* flow = flows_.first_expired(settings_, now_)) end(*flow, Ending::idle);
    flows_.bury();
    replies_.close_unused(now_ - reply_socket_idle_limit);
    if (flows_.size() > 0 || replies_.size() > 0) sweep_later();
}

/// Often enough that no flow lives a quarter longer than it may, and not more than that.
void Forwarder::sweep_later()
{
    const auto shortest = std::min({settings_.unanswered_limit, settings_.idle_limit, settings_.dns_idle_limit}) / 4;
    sweep_deadline_.expire_after(std::clamp<std::chrono::milliseconds>(shortest, 50ms, 1s));
}

void Forwarder::count_kernel_drops(Listener& listener)
{
    std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
    socklen_t size = sizeof memory;
    if (!listener.socket.is_open() ||
        ::getsockopt(listener.socket.number(), SOL_SOCKET, SO_MEMINFO, memory.data(), &size) != 0)
        return;
    const std::uint64_t dropped = memory[SK_MEMINFO_DROPS];
    if (dropped > listener.kernel_drops) drop(Drop::queue_full, dropped - listener.kernel_drops);
    listener.kernel_drops = dropped;
}

} // namespace gw::datagram
