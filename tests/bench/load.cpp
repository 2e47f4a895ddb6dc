#include "tests/bench/load.h"

#include "tests/bench/pattern.h"
#include "tests/bench/sockets.h"

#include <algorithm>
#include <array>
#include <memory>
#include <queue>
#include <sys/epoll.h>

namespace gw::bench {

namespace {

using Nanoseconds = std::chrono::nanoseconds;
constexpr std::size_t read_bytes = 256 * 1024;
// So many connections are opened at once; more would measure the backlog.
constexpr std::size_t opening_at_once = 64;

struct Connection {
    int socket = -1;
    Exchange exchange{};
    Clock::time_point due{}, began{};
    std::size_t sent_bytes = 0;
    std::uint64_t uploaded_bytes = 0;
    std::uint64_t asked = 0;
    bool busy = false, connecting = false, leaving = false;
    std::uint32_t armed = 0;
};

class Run {
public:
    Run(const Load& load, const Wish& wish)
        : load_(load), wish_(wish), all_(load.connections), poll_(::epoll_create1(EPOLL_CLOEXEC)), buffer_(read_bytes)
    {}
    ~Run()
    {
        for (auto& each : all_) closes(each);
        ::close(poll_);
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    Outcome measures()
    {
        began_ = Clock::now();
        until_ = began_ + load_.at_most;
        for (std::size_t i = 0; i < all_.size(); ++i) {
            all_[i].due = began_ + gap() * static_cast<long>(i) / static_cast<long>(all_.size());
            waiting_.push(&all_[i]);
        }
        goes_on();
        outcome_.seconds = std::chrono::duration<double>(last_ - began_).count();
        return std::move(outcome_);
    }

    Outcome opens_and_holds()
    {
        one_each_ = 1;
        measures_once();
        std::printf("{\"open\": %llu}\n", static_cast<unsigned long long>(outcome_.done));
        std::fflush(stdout);
        for (char byte; ::read(0, &byte, 1) > 0;) {
        }
        one_each_ = 2;
        measures_once();
        return std::move(outcome_);
    }

private:
    void measures_once()
    {
        began_ = Clock::now();
        until_ = began_ + load_.at_most;
        for (auto& each : all_) each.due = began_, waiting_.push(&each);
        goes_on();
    }

    // Of one connection's turns.
    [[nodiscard]] Nanoseconds gap() const
    {
        if (load_.per_second <= 0) return Nanoseconds{0};
        return Nanoseconds{static_cast<long>(1e9 * static_cast<double>(all_.size()) / load_.per_second)};
    }

    void goes_on()
    {
        std::array<epoll_event, 256> events;
        auto looked = Clock::now();
        for (;;) {
            auto now = Clock::now();
            starts_due(now);
            if (busy_ == 0 && (waiting_.empty() || over(now))) return;
            const auto wait = waits(now);
            const timespec time{wait.count() / 1'000'000'000, wait.count() % 1'000'000'000};
            const int count = ::epoll_pwait2(poll_, events.data(), static_cast<int>(events.size()), &time, nullptr);
            for (int i = 0; i < count; ++i) {
                const auto& event = events[static_cast<std::size_t>(i)];
                has_news(*static_cast<Connection*>(event.data.ptr), event.events);
            }
            if (now = Clock::now(); now - looked > std::chrono::milliseconds{100}) {
                looked = now;
                gives_up_on_late_ones(now);
            }
        }
    }

    [[nodiscard]] bool over(Clock::time_point now) const
    {
        if (one_each_ > 0) return now >= until_;
        return now >= until_ || begun_ >= load_.count || outcome_.failed > 1'000;
    }
    [[nodiscard]] Nanoseconds waits(Clock::time_point now) const
    {
        Nanoseconds wait = std::chrono::milliseconds{100};
        if (!waiting_.empty() && busy_ < limit()) wait = std::min<Nanoseconds>(wait, waiting_.top()->due - now);
        return std::max(wait, Nanoseconds{0});
    }
    [[nodiscard]] std::size_t limit() const { return one_each_ > 0 ? opening_at_once : all_.size(); }

    void starts_due(Clock::time_point now)
    {
        while (!waiting_.empty() && waiting_.top()->due <= now && busy_ < limit() && !over(now)) {
            auto& connection = *waiting_.top();
            waiting_.pop();
            starts(connection, now);
        }
    }

    void starts(Connection& connection, Clock::time_point now)
    {
        ++begun_, ++busy_;
        connection.busy = true;
        connection.began = now;
        if (load_.per_second <= 0) connection.due = now;
        connection.exchange = Exchange(wish_, begun_);
        connection.sent_bytes = 0, connection.uploaded_bytes = 0;
        ++connection.asked;
        if (connection.socket < 0 && !dials(connection)) return;
        if (!connection.connecting) sends(connection);
    }

    bool dials(Connection& connection)
    {
        const int type = load_.datagrams ? SOCK_DGRAM : SOCK_STREAM;
        connection.socket = ::socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connection.socket < 0) fail("socket");
        if (!load_.datagrams) switch_on(connection.socket, IPPROTO_TCP, TCP_NODELAY);
        connection.connecting = false;
        if (::connect(connection.socket, plain(load_.to), sizeof load_.to) != 0) {
            if (errno != EINPROGRESS) return fails(connection, std::string("connect: ") + std::strerror(errno)), false;
            connection.connecting = true;
        }
        epoll_event event{};
        event.events = connection.armed = connection.connecting ? EPOLLIN | EPOLLOUT : EPOLLIN;
        event.data.ptr = &connection;
        if (::epoll_ctl(poll_, EPOLL_CTL_ADD, connection.socket, &event) != 0) fail("epoll_ctl");
        return true;
    }

    void arms(Connection& connection, std::uint32_t events)
    {
        if (connection.armed == events) return;
        epoll_event event{};
        event.events = connection.armed = events;
        event.data.ptr = &connection;
        ::epoll_ctl(poll_, EPOLL_CTL_MOD, connection.socket, &event);
    }

    void sends(Connection& connection)
    {
        const auto request = connection.exchange.request();
        const bool sending_head = connection.sent_bytes < request.size();
        const auto uploads = wish_.upload_bytes;
        if (sending_head) {
            const int more = uploads > 0 ? MSG_MORE : 0;
            const auto sent = ::send(connection.socket, request.data() + connection.sent_bytes,
                                     request.size() - connection.sent_bytes, MSG_NOSIGNAL | more);
            if (sent < 0 && errno != EAGAIN) return fails(connection, std::string("send: ") + std::strerror(errno));
            if (sent > 0) connection.sent_bytes += static_cast<std::size_t>(sent);
        }
        while (connection.sent_bytes == request.size() && connection.uploaded_bytes < uploads) {
            const auto piece = pattern().at(connection.uploaded_bytes, uploads - connection.uploaded_bytes);
            const auto sent = ::send(connection.socket, piece.data(), piece.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno != EAGAIN) return fails(connection, std::string("send: ") + std::strerror(errno));
            if (sent < 0) break;
            connection.uploaded_bytes += static_cast<std::uint64_t>(sent);
            outcome_.bytes += static_cast<std::uint64_t>(sent);
        }
        const bool all = connection.sent_bytes == request.size() && connection.uploaded_bytes == uploads;
        arms(connection, all ? EPOLLIN : EPOLLIN | EPOLLOUT);
    }

    void has_news(Connection& connection, std::uint32_t events)
    {
        if (connection.socket < 0) return;
        if (connection.connecting && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
            int error = 0;
            socklen_t size = sizeof error;
            ::getsockopt(connection.socket, SOL_SOCKET, SO_ERROR, &error, &size);
            if (error != 0) return fails(connection, std::string("connect: ") + std::strerror(error));
            connection.connecting = false;
            return sends(connection);
        }
        if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receives(connection);
        if ((events & EPOLLOUT) != 0 && connection.busy && connection.socket >= 0 && !connection.leaving)
            sends(connection);
    }

    void receives(Connection& connection)
    {
        const auto count = ::recv(connection.socket, buffer_.data(), buffer_.size(), 0);
        if (count < 0 && errno == EAGAIN) return;
        if (connection.leaving) return leaves(connection);
        if (!connection.busy) {
            // Kept connections stay open as long as the load asks on them.
            ++outcome_.failed;
            says(count > 0 ? "bytes nobody asked for" : "closed while idle");
            return closes(connection);
        }
        if (count < 0) return fails(connection, std::string("recv: ") + std::strerror(errno));
        const auto state = count == 0 && !load_.datagrams
                               ? connection.exchange.end()
                               : connection.exchange.take({buffer_.data(), static_cast<std::size_t>(count)});
        if (state == Exchange::State::wrong) return fails(connection, connection.exchange.why());
        if (state == Exchange::State::complete) completes(connection);
    }

    void completes(Connection& connection)
    {
        last_ = Clock::now();
        ++outcome_.done;
        outcome_.bytes += connection.exchange.received_bytes();
        outcome_.latencies_us.push_back(std::chrono::duration<float, std::micro>(last_ - connection.due).count());
        // Who said "close" waits for the end, so that the gateway is the one to keep the address pair in TIME_WAIT.
        if (wish_.close) {
            connection.leaving = true;
            return;
        }
        rests(connection);
    }
    void leaves(Connection& connection)
    {
        connection.leaving = false;
        closes(connection);
        rests(connection);
    }
    void rests(Connection& connection)
    {
        connection.busy = false;
        --busy_;
        if (one_each_ > 0) return;
        connection.due += gap();
        waiting_.push(&connection);
    }
    void fails(Connection& connection, const std::string& why)
    {
        ++outcome_.failed;
        says(why);
        closes(connection);
        rests(connection);
    }
    void says(const std::string& why)
    {
        if (outcome_.first_failure.empty()) outcome_.first_failure = why;
    }
    void closes(Connection& connection) const
    {
        if (connection.socket >= 0) ::close(connection.socket);
        connection.socket = -1;
        connection.connecting = connection.leaving = false;
    }
    void gives_up_on_late_ones(Clock::time_point now)
    {
        for (auto& each : all_)
            if (each.busy && now - each.began > load_.patience) {
                if (each.leaving) {
                    ++outcome_.failed;
                    says("not closed after its answer");
                    leaves(each);
                } else {
                    fails(each, each.connecting ? "no connection in time" : "no answer in time");
                }
            }
    }

    struct Later {
        bool operator()(const Connection* a, const Connection* b) const { return a->due > b->due; }
    };

    const Load& load_;
    const Wish& wish_;
    std::vector<Connection> all_;
    std::priority_queue<Connection*, std::vector<Connection*>, Later> waiting_{};
    int poll_;
    std::vector<char> buffer_;
    Outcome outcome_{};
    Clock::time_point began_{}, until_{}, last_{};
    std::uint64_t begun_ = 0;
    std::size_t busy_ = 0;
    int one_each_ = 0;
};

} // namespace

Outcome run(const Load& load, const Wish& wish)
{
    Run one(load, wish);
    return load.hold ? one.opens_and_holds() : one.measures();
}

double percentile(std::vector<float>& values, double share)
{
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size()));
    return static_cast<double>(values[std::min(at, values.size() - 1)]);
}

} // namespace gw::bench
