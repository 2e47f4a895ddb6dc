// What waiting and moving cost a relay of small messages: epoll, as the gateway has it, against io_uring. Clients and
// echoing servers are processes of their own, so that only the middle's CPU time is counted. Not a test: prints
// figures.
//   event_probe [connections] [seconds] [rounds]

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr std::size_t message_bytes = 100;
constexpr std::size_t buffer_bytes = 4096;

[[noreturn]] void fail(const char* what)
{
    std::perror(what);
    std::exit(1);
}

int checked(int outcome, const char* what)
{
    if (outcome < 0) fail(what);
    return outcome;
}

double seconds_of(clockid_t clock)
{
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

void send_at_once(int socket)
{
    const int on = 1;
    checked(::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
}

/// Two ends of TCP over loopback.
std::pair<int, int> make_connection()
{
    const int listener = checked(::socket(AF_INET, SOCK_STREAM, 0), "socket");
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    checked(::bind(listener, reinterpret_cast<sockaddr*>(&name), size), "bind");
    checked(::listen(listener, 1), "listen");
    checked(::getsockname(listener, reinterpret_cast<sockaddr*>(&name), &size), "getsockname");
    const int near = checked(::socket(AF_INET, SOCK_STREAM, 0), "socket");
    checked(::connect(near, reinterpret_cast<sockaddr*>(&name), size), "connect");
    const int far = checked(::accept(listener, nullptr, nullptr), "accept");
    ::close(listener);
    send_at_once(near), send_at_once(far);
    return {near, far};
}

/// One message is always under way on each connection: who reads it sends it back.
void bounce(const std::vector<int>& sockets, bool begins)
{
    const int poller = checked(::epoll_create1(0), "epoll");
    std::array<char, buffer_bytes> buffer{};
    for (const int socket : sockets) {
        epoll_event event{EPOLLIN, {.fd = socket}};
        checked(::epoll_ctl(poller, EPOLL_CTL_ADD, socket, &event), "epoll_ctl");
        if (begins) checked(static_cast<int>(::send(socket, buffer.data(), message_bytes, 0)), "send");
    }
    std::array<epoll_event, 256> events;
    for (;;) {
        const int count = ::epoll_wait(poller, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            const auto size = ::recv(events[static_cast<std::size_t>(i)].data.fd, buffer.data(), buffer.size(), 0);
            if (size <= 0) ::_exit(0);
            if (::send(events[static_cast<std::size_t>(i)].data.fd, buffer.data(), static_cast<std::size_t>(size),
                       MSG_NOSIGNAL) < 0)
                ::_exit(0);
        }
    }
}

/// The middle: what arrives at `here` goes to `there`. One for each direction.
struct Way {
    int here, there;
    std::array<char, buffer_bytes> buffer{};
};

std::uint64_t by_epoll(std::vector<Way>& ways, double until)
{
    const int poller = checked(::epoll_create1(0), "epoll");
    for (Way& way : ways) {
        epoll_event event{EPOLLIN | EPOLLET, {.ptr = &way}};
        checked(::epoll_ctl(poller, EPOLL_CTL_ADD, way.here, &event), "epoll_ctl");
    }
    std::uint64_t moved = 0;
    std::array<epoll_event, 128> events;
    while (seconds_of(CLOCK_MONOTONIC) < until) {
        const int count = ::epoll_wait(poller, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            Way& way = *static_cast<Way*>(events[static_cast<std::size_t>(i)].data.ptr);
            // Less than asked for: it is empty, and the next edge will come.
            const auto size = ::recv(way.here, way.buffer.data(), way.buffer.size(), 0);
            if (size <= 0) fail("recv");
            if (::send(way.there, way.buffer.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL) != size)
                fail("send");
            ++moved;
        }
    }
    ::close(poller);
    return moved;
}

class Ring {
public:
    Ring()
    {
        io_uring_params settings{};
        settings.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
        settings.cq_entries = 8192;
        const int made = io_uring_queue_init_params(2048, &ring_, &settings);
        if (made < 0) errno = -made, fail("io_uring");
    }
    ~Ring() { io_uring_queue_exit(&ring_); }
    io_uring* operator&() { return &ring_; }
    io_uring_sqe* next()
    {
        io_uring_sqe* entry = io_uring_get_sqe(&ring_);
        if (entry == nullptr) io_uring_submit(&ring_), entry = io_uring_get_sqe(&ring_);
        return entry;
    }

private:
    io_uring ring_{};
};

template <class Each> void for_each_completion(io_uring* ring, const Each& each)
{
    unsigned head = 0, count = 0;
    io_uring_cqe* entry = nullptr;
    io_uring_for_each_cqe(ring, head, entry)
    {
        ++count;
        each(*entry);
    }
    io_uring_cq_advance(ring, count);
}

/// A receive and a send in turn, each asked for again when the other is done.
std::uint64_t by_uring(std::vector<Way>& ways, double until)
{
    Ring ring;
    constexpr std::uint64_t sends = 1; // in the pointer's lowest bit
    const auto receive = [&](Way& way) {
        auto* entry = ring.next();
        io_uring_prep_recv(entry, way.here, way.buffer.data(), way.buffer.size(), 0);
        entry->ioprio |= IORING_RECVSEND_POLL_FIRST;
        io_uring_sqe_set_data64(entry, reinterpret_cast<std::uint64_t>(&way));
    };
    for (Way& way : ways) receive(way);
    std::uint64_t moved = 0;
    while (seconds_of(CLOCK_MONOTONIC) < until) {
        io_uring_submit_and_wait(&ring, 1);
        for_each_completion(&ring, [&](const io_uring_cqe& done) {
            if (done.res <= 0) errno = -done.res, fail("io_uring");
            Way& way = *reinterpret_cast<Way*>(done.user_data & ~sends);
            if ((done.user_data & sends) != 0) {
                receive(way);
                ++moved;
                return;
            }
            auto* entry = ring.next();
            io_uring_prep_send(entry, way.there, way.buffer.data(), static_cast<std::size_t>(done.res), MSG_NOSIGNAL);
            io_uring_sqe_set_data64(entry, reinterpret_cast<std::uint64_t>(&way) | sends);
        });
    }
    return moved;
}

/// Receives that stay asked for, into buffers that the kernel picks; sends that complete without a word.
std::uint64_t by_multishot(std::vector<Way>& ways, double until)
{
    Ring ring;
    constexpr unsigned buffers = 1024;
    std::vector<std::array<char, buffer_bytes>> memory(buffers);
    io_uring_buf_reg shared{};
    void* at = nullptr;
    if (::posix_memalign(&at, 4096, buffers * sizeof(io_uring_buf)) != 0) fail("memory");
    auto* pool = static_cast<io_uring_buf_ring*>(at);
    io_uring_buf_ring_init(pool);
    shared.ring_addr = reinterpret_cast<std::uint64_t>(pool);
    shared.ring_entries = buffers;
    if (const int failed = io_uring_register_buf_ring(&ring, &shared, 0); failed < 0) errno = -failed, fail("buffers");
    const auto give = [&](unsigned number) {
        io_uring_buf_ring_add(pool, memory[number].data(), buffer_bytes, static_cast<unsigned short>(number),
                              io_uring_buf_ring_mask(buffers), 0);
        io_uring_buf_ring_advance(pool, 1);
    };
    for (unsigned i = 0; i < buffers; ++i) give(i);
    constexpr std::uint64_t sends = 1ULL << 63; // with the buffer's number
    const auto receive = [&](std::size_t number) {
        auto* entry = ring.next();
        io_uring_prep_recv_multishot(entry, ways[number].here, nullptr, 0, 0);
        entry->flags |= IOSQE_BUFFER_SELECT;
        entry->buf_group = 0;
        entry->ioprio |= IORING_RECVSEND_POLL_FIRST;
        io_uring_sqe_set_data64(entry, number);
    };
    for (std::size_t i = 0; i < ways.size(); ++i) receive(i);
    std::uint64_t moved = 0;
    while (seconds_of(CLOCK_MONOTONIC) < until) {
        io_uring_submit_and_wait(&ring, 1);
        for_each_completion(&ring, [&](const io_uring_cqe& done) {
            if (done.res <= 0) errno = -done.res, fail("io_uring");
            if ((done.user_data & sends) != 0) {
                give(static_cast<unsigned>(done.user_data & 0xffff));
                ++moved;
                return;
            }
            const unsigned number = done.flags >> IORING_CQE_BUFFER_SHIFT;
            auto* entry = ring.next();
            io_uring_prep_send(entry, ways[done.user_data].there, memory[number].data(),
                               static_cast<std::size_t>(done.res), MSG_NOSIGNAL);
            io_uring_sqe_set_data64(entry, sends | number);
            if ((done.flags & IORING_CQE_F_MORE) == 0) receive(done.user_data);
        });
    }
    std::free(at);
    return moved;
}

using Middle = std::uint64_t (*)(std::vector<Way>&, double);

/// Each run has connections and ends of its own. Microseconds of CPU a message.
double measure(Middle middle, std::size_t connections, double seconds)
{
    std::vector<int> clients, servers;
    std::vector<Way> ways;
    for (std::size_t i = 0; i < connections; ++i) {
        const auto [client, from_client] = make_connection();
        const auto [to_server, server] = make_connection();
        clients.push_back(client), servers.push_back(server);
        ways.push_back({from_client, to_server}), ways.push_back({to_server, from_client});
    }
    std::array<pid_t, 2> ends{};
    for (const bool begins : {false, true}) {
        const pid_t child = checked(::fork(), "fork");
        if (child == 0) {
            for (const Way& way : ways) ::close(way.here);
            for (const int other : begins ? servers : clients) ::close(other);
            bounce(begins ? clients : servers, begins);
        }
        ends[begins ? 1 : 0] = child;
    }
    const double before = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    const auto moved = middle(ways, seconds_of(CLOCK_MONOTONIC) + seconds);
    const double used = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - before;
    for (const pid_t end : ends) ::kill(end, SIGKILL), ::waitpid(end, nullptr, 0);
    for (const int socket : clients) ::close(socket);
    for (const int socket : servers) ::close(socket);
    for (const Way& way : ways) ::close(way.here);
    return used * 1e6 / static_cast<double>(moved);
}

} // namespace

int main(int count, char** arguments)
{
    const auto connections = static_cast<std::size_t>(count > 1 ? std::atoi(arguments[1]) : 32);
    const double seconds = count > 2 ? std::atof(arguments[2]) : 2;
    const int rounds = count > 3 ? std::atoi(arguments[3]) : 5;
    for (int round = 0; round < rounds; ++round) {
        const double epoll = measure(by_epoll, connections, seconds);
        const double uring = measure(by_uring, connections, seconds);
        const double multishot = measure(by_multishot, connections, seconds);
        std::printf(
            "CPU us a message: epoll %.2f, io_uring %.2f (%.2f), io_uring with multishot receives %.2f (%.2f)\n", epoll,
            uring, uring / epoll, multishot, multishot / epoll);
    }
}
