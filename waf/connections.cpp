#include "waf/connections.h"

#include <algorithm>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <sys/socket.h>
#include <thread>

namespace gw::waf {

namespace {

// libmodsecurity keeps a little of every client it saw; an inspector that served so many makes way for a fresh one.
constexpr std::uint64_t renew_after = 20'000;
constexpr std::chrono::seconds surplus_after{10};
constexpr std::size_t read_bytes = 4 * 1024;
// How many deadlines one waits in the queue: it moves as long as inspectors answer, and the queue's length is bounded.
constexpr int waiting_deadlines = 5;

std::size_t most_inspectors() { return std::max<std::size_t>(2, std::thread::hardware_concurrency()) + 2; }

void on_hung(void* owner) noexcept
{
    auto& connection = *static_cast<Connection*>(owner);
    connection.hung = true;
    boost::system::error_code ignored;
    connection.socket.close(ignored); // what waits on it fails now
}

} // namespace

Connection::Connection(asio::io_context& io, DeadlineWheel& wheel, Processes::Fresh fresh)
    : number(fresh.number), socket(io, asio::local::stream_protocol(), fresh.socket.release()),
      deadline(wheel, on_hung, this)
{}

Lease& Lease::operator=(Lease&& other) noexcept
{
    std::swap(owner_, other.owner_);
    std::swap(connection_, other.connection_);
    return *this;
}

Lease::~Lease()
{
    if (connection_) owner_->drop(*std::exchange(connection_, nullptr), true);
}

void Lease::finish(bool leaving)
{
    const auto connection = std::exchange(connection_, nullptr);
    if (leaving)
        owner_->drop(*connection, false);
    else
        owner_->give_back(*connection);
}

Connections::Waiter::Waiter(Connections& of, ConnectionPtr for_this)
    : owner(of), wanted(std::move(for_this)), timer(of.io_)
{
    owner.waiting_.push_back(this);
    if (owner.queue_look_.at() == Deadline::Clock::time_point::max()) owner.queue_look_.expire_after(patience);
}

Connections::Waiter::~Waiter() { owner.waiting_.remove(this); }

Connections::Connections(asio::io_context& io, DeadlineWheel& wheel, std::shared_ptr<Processes> processes)
    : io_(io), wheel_(wheel), processes_(std::move(processes)), most_(most_inspectors()),
      queue_look_(
          wheel, [](void* owner) noexcept { static_cast<Connections*>(owner)->look_at_queue(); }, this)
{
    grow();
}

Connections::~Connections()
{
    while (!connections_.empty()) {
        const auto last = connections_.back();
        drop(*last, false);
    }
}

bool Connections::is_stuck(const Connection& connection) const
{
    return connection.busy && Deadline::Clock::now() - connection.busy_since >= patience;
}

ConnectionPtr Connections::idle(const ConnectionPtr& wanted) const
{
    if (wanted && wanted->alive) return wanted->busy ? nullptr : wanted;
    const auto found =
        std::find_if(connections_.begin(), connections_.end(), [](const auto& one) { return !one->busy; });
    return found == connections_.end() ? nullptr : *found;
}

Lease Connections::lend(ConnectionPtr connection)
{
    connection->busy = true;
    connection->busy_since = Deadline::Clock::now();
    return Lease{*this, std::move(connection)};
}

bool Connections::is_surplus() const
{
    return connections_.size() > 1 && waiting_.empty() && Deadline::Clock::now() - last_grown_ > surplus_after;
}

void Connections::give_back(Connection& connection)
{
    connection.busy = false;
    connection.deadline.disarm();
    if (connection.answered >= renew_after || is_surplus()) return drop(connection, false);
    serve_waiting();
}

void Connections::drop(Connection& connection, bool failed)
{
    if (!connection.alive) return;
    connection.alive = false;
    connection.deadline.disarm();
    boost::system::error_code ignored;
    connection.socket.close(ignored);
    processes_->forget(connection.number);
    if (failed) ++processes_->counters.restarts;
    const auto same = [&](const auto& one) { return one.get() == &connection; };
    connections_.erase(std::remove_if(connections_.begin(), connections_.end(), same), connections_.end());
    serve_waiting();
}

void Connections::drop_dead()
{
    const auto is_dead = [](Connection& connection) {
        char ignored = 0;
        const auto count = ::recv(connection.socket.native_handle(), &ignored, 1, MSG_PEEK | MSG_DONTWAIT);
        return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
    };
    const auto all = connections_;
    for (const auto& one : all)
        if (!one->busy && is_dead(*one)) drop(*one, true);
}

void Connections::grow()
{
    if (connections_.size() >= most_) return;
    auto fresh = processes_->spawn();
    if (!fresh) return; // looked at again while anyone waits
    connections_.push_back(std::make_shared<Connection>(io_, wheel_, std::move(*fresh)));
    last_grown_ = Deadline::Clock::now();
}

void Connections::serve_waiting()
{
    if (!waiting_.empty() && connections_.empty()) grow();
    for (auto next = waiting_.begin(); next != waiting_.end();) {
        auto& waiter = **next;
        auto connection = idle(waiter.wanted);
        if (!connection) {
            ++next;
            continue;
        }
        next = waiting_.erase(next);
        waiter.lease = lend(std::move(connection));
        waiter.timer.cancel();
    }
}

void Connections::look_at_queue()
{
    if (waiting_.empty()) return;
    for (auto* waiter : waiting_) {
        if (waiter->wanted && is_stuck(*waiter->wanted)) waiter->wanted = nullptr;
    }
    const auto stuck = [this](const auto& one) { return is_stuck(*one); };
    if (std::all_of(connections_.begin(), connections_.end(), stuck)) grow();
    serve_waiting();
    queue_look_.expire_after(patience);
}

Task<Result<Lease>> Connections::acquire(ConnectionPtr wanted)
{
    if (connections_.empty()) grow();
    if (auto connection = idle(wanted)) co_return lend(std::move(connection));
    if (waiting_.size() >= processes_->settings().queue_limit)
        co_return Error{Fault::refused, Side::gateway, "queue full"};
    Waiter waiter{*this, std::move(wanted)};
    waiter.timer.expires_after(processes_->settings().deadline * waiting_deadlines);
    auto outcome = co_await waiter.timer.async_wait(as_outcome);
    static_cast<void>(outcome); // cancelled or not: the lease says which
    if (!waiter.lease) co_return Error{Fault::timed_out, Side::gateway, "no inspector in time"};
    co_return std::move(waiter.lease);
}

namespace {

Error lost(const Connection& connection, boost::system::error_code cause)
{
    if (connection.hung) return Error{Fault::timed_out, Side::gateway, "inspector hung", cause};
    return Error{Fault::system, Side::gateway, "inspector died", cause};
}

Task<Result<std::size_t>> read_more(Connection& connection, std::size_t want_bytes)
{
    const auto had = connection.in.size();
    connection.in.resize(had + std::max(want_bytes, read_bytes));
    const auto room = asio::buffer(connection.in.data() + had, connection.in.size() - had);
    auto outcome = co_await connection.socket.async_read_some(room, as_outcome);
    auto& [failed, count] = outcome;
    connection.in.resize(had + count);
    if (failed) co_return lost(connection, failed);
    co_return count;
}

Task<Result<Answer>> read_answer(Connection& connection)
{
    connection.in.clear();
    for (;;) {
        const auto head = parse_frame_head(connection.in, max_answer_bytes);
        if (!head) co_return head.error();
        std::size_t missing = frame_head_bytes;
        if (const auto* frame = std::get_if<FrameHead>(&*head)) {
            const auto whole = frame_head_bytes + frame->body_bytes;
            if (frame->kind != Kind::answer || connection.in.size() > whole)
                co_return Error{Fault::malformed, Side::gateway, "inspector broke the format"};
            if (connection.in.size() == whole)
                co_return decode_answer(std::string_view(connection.in).substr(frame_head_bytes));
            missing = whole - connection.in.size();
        }
        auto more = co_await read_more(connection, missing);
        if (!more) co_return more.error();
    }
}

} // namespace

Task<Result<Answer>> exchange(Connection& connection, std::string_view frame, std::chrono::milliseconds limit)
{
    connection.deadline.expire_after(limit);
    connection.out.clear();
    if (!connection.ended.empty()) encode_end(connection.out, std::exchange(connection.ended, {}));
    const std::array<asio::const_buffer, 2> parts{asio::buffer(connection.out), asio::buffer(frame)};
    auto sent = co_await asio::async_write(connection.socket, parts, as_outcome);
    auto& [failed, count] = sent;
    if (failed && count == 0 && !connection.hung)
        co_return Error{Fault::closed, Side::gateway, "inspector died", failed};
    if (failed) co_return lost(connection, failed);
    auto answer = co_await read_answer(connection);
    if (answer) ++connection.answered;
    co_return answer;
}

} // namespace gw::waf
