// CPU time of the relay itself: bulk by copying and by splice, small messages, and memory of an idle connection.
// Senders and receivers are processes of their own, so that only the relay's time is counted. Not a test: prints
// figures.
//   relay_bench [gigabytes]

#include "gateway/base/socket_stream.h"
#include "gateway/relay/relay.h"
#include "tests/support/descriptor_of.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace gw;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;

struct Cpu {
    double user, system;
};

Cpu cpu_used()
{
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return {seconds(used.ru_utime), seconds(used.ru_stime)};
}

/// A relay whose client and upstream ends live in other processes.
template <class Client, class Upstream>
void relay_between(const char* title, std::uint64_t units, const char* unit, const relay::Settings& settings,
                   Client client_work, Upstream upstream_work)
{
    asio::io_context io;
    DeadlineWheel wheel{io.get_executor()};
    tcp::acceptor for_client{io, {asio::ip::address_v4::loopback(), 0}};
    tcp::acceptor for_upstream{io, {asio::ip::address_v4::loopback(), 0}};
    const auto in_child = [&](const tcp::endpoint& to, auto work) {
        const auto child = ::fork();
        if (child != 0) return child;
        asio::io_context own;
        tcp::socket socket{own};
        socket.connect(to);
        work(socket);
        ::_exit(0);
    };
    const auto client_child = in_child(for_client.local_endpoint(), client_work);
    const auto upstream_child = in_child(for_upstream.local_endpoint(), upstream_work);
    SocketStream client{descriptor_of(for_client.accept()), Side::client, wheel};
    SocketStream upstream{descriptor_of(for_upstream.accept()), Side::upstream, wheel};

    const auto cpu_before = cpu_used();
    const auto began = Clock::now();
    relay::Counts counts;
    Buffer onward, back;
    asio::co_spawn(io, relay::run(client, upstream, onward, back, settings, counts),
                   [&](std::exception_ptr, Result<>) { io.stop(); });
    io.run();
    const auto took = std::chrono::duration<double>(Clock::now() - began).count();
    const auto cpu = cpu_used();
    ::kill(client_child, SIGKILL), ::kill(upstream_child, SIGKILL);
    ::waitpid(client_child, nullptr, 0), ::waitpid(upstream_child, nullptr, 0);
    const auto user = cpu.user - cpu_before.user, system = cpu.system - cpu_before.system;
    std::printf("%-28s %7.3f s  CPU %6.3f s (user %.3f, system %.3f)  %8.2f us CPU/%s  spliced %3.0f %%\n", title, took,
                user + system, user, system, (user + system) * 1e6 / static_cast<double>(units), unit,
                100.0 * static_cast<double>(counts.spliced_bytes) /
                    static_cast<double>(counts.from_client_bytes + counts.to_client_bytes));
}

void bulk(const char* title, std::size_t splice_after_bytes, std::size_t pipe_bytes, std::uint64_t mebibytes)
{
    relay::Settings settings;
    settings.splice_after_bytes = splice_after_bytes;
    settings.pipe_bytes = pipe_bytes;
    relay_between(
        title, mebibytes, "MiB", settings,
        [&](tcp::socket& socket) {
            const std::vector<char> piece(1024 * 1024, 'x');
            boost::system::error_code failed;
            for (std::uint64_t i = 0; i < mebibytes && !failed; ++i) asio::write(socket, asio::buffer(piece), failed);
        },
        [](tcp::socket& socket) {
            std::vector<char> piece(1024 * 1024);
            boost::system::error_code failed;
            while (!failed) socket.read_some(asio::buffer(piece), failed);
        });
}

void ping_pong(std::uint64_t rounds)
{
    const auto echo_once = [](tcp::socket& socket, boost::system::error_code& failed) {
        char piece[100];
        asio::read(socket, asio::buffer(piece), failed);
        if (!failed) asio::write(socket, asio::buffer(piece), failed);
    };
    relay_between(
        "100-byte messages", rounds, "round trip", {},
        [&](tcp::socket& socket) {
            boost::system::error_code failed;
            socket.set_option(tcp::no_delay{true});
            asio::write(socket, asio::buffer(std::string(100, 'x')), failed);
            for (std::uint64_t i = 0; i < rounds && !failed; ++i) echo_once(socket, failed);
        },
        [&](tcp::socket& socket) {
            boost::system::error_code failed;
            socket.set_option(tcp::no_delay{true});
            while (!failed) echo_once(socket, failed);
        });
}

std::size_t resident_bytes()
{
    std::size_t total = 0, resident = 0;
    std::ifstream{"/proc/self/statm"} >> total >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void idle(std::size_t count)
{
    asio::io_context io;
    DeadlineWheel wheel{io.get_executor()};
    tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
    struct One {
        tcp::socket far_client, far_upstream;
        SocketStream client, upstream;
        relay::Counts counts{};
        Buffer onward{}, back{};
    };
    const relay::Settings settings;
    std::vector<std::unique_ptr<One>> all;
    const auto pair = [&] {
        tcp::socket far{io};
        far.connect(acceptor.local_endpoint());
        return std::make_pair(std::move(far), descriptor_of(acceptor.accept()));
    };
    std::size_t before = 0;
    for (std::size_t i = 0; i < count + 10; ++i) {
        if (i == 10) before = resident_bytes();
        auto [far_client, client] = pair();
        auto [far_upstream, upstream] = pair();
        all.push_back(std::unique_ptr<One>{new One{std::move(far_client),
                                                   std::move(far_upstream),
                                                   {std::move(client), Side::client, wheel},
                                                   {std::move(upstream), Side::upstream, wheel}}});
        auto& one = *all.back();
        asio::co_spawn(io, relay::run(one.client, one.upstream, one.onward, one.back, settings, one.counts),
                       [](std::exception_ptr, Result<>) {});
        io.poll();
    }
    std::printf("%-28s %zu bytes each (of %zu, the far sockets of this program included)\n", "idle relays",
                (resident_bytes() - before) / count, count);
    for (auto& one : all) one->client.close(), one->upstream.close();
    io.restart();
    io.poll();
}

} // namespace

int main(int argc, char** argv)
{
    const std::uint64_t mebibytes = 1024 * (argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 4);
    bulk("bulk, copying", SIZE_MAX, 0, mebibytes);
    relay::Settings settings;
    bulk("bulk, splice", settings.splice_after_bytes, settings.pipe_bytes, mebibytes);
    ping_pong(100'000);
    idle(200);
}
