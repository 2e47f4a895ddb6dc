// What UDP costs: CPU time of the gateway's processes beside nginx's stream module and socat for the same work, in the
// same run. Not a test that can fail for being slow; run by tests/bench/udp.sh.

#include "tests/end_to_end/scene.h"
#include "tests/support/lab_datagram.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <poll.h>
#include <sys/socket.h>

namespace gw::lab {
namespace {

constexpr std::size_t batch = 32;

std::size_t asked(const char* name, std::size_t otherwise)
{
    const auto* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoul(text, nullptr, 10);
}

/// CPU time of all threads of these processes.
double cpu_seconds(const std::vector<int>& ids)
{
    std::uint64_t total = 0;
    for (const int id : ids) {
        std::error_code ignored;
        for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(id) + "/task", ignored)) {
            std::ifstream file(task.path() / "schedstat");
            std::uint64_t running = 0;
            file >> running;
            total += running;
        }
    }
    return static_cast<double>(total) / 1e9;
}

std::vector<int> with_children(int id)
{
    std::vector<int> all{id};
    for (std::size_t at = 0; at < all.size(); ++at) {
        std::ifstream file("/proc/" + std::to_string(all[at]) + "/task/" + std::to_string(all[at]) + "/children");
        for (int child = 0; file >> child;) all.push_back(child);
    }
    return all;
}

/// Up to a batch of datagrams from one socket to one place, as few system calls as possible.
class Bulk {
public:
    explicit Bulk(std::size_t size) : bytes_(batch * 2'048, 'b')
    {
        for (std::size_t i = 0; i < batch; ++i) {
            parts_[i] = {bytes_.data() + i * 2'048, size};
            messages_[i].msg_hdr.msg_iov = &parts_[i];
            messages_[i].msg_hdr.msg_iovlen = 1;
        }
    }
    std::size_t sends(int socket, std::size_t count)
    {
        const auto sent = ::sendmmsg(socket, messages_.data(), static_cast<unsigned>(std::min(count, batch)), 0);
        return sent < 0 ? 0 : static_cast<std::size_t>(sent);
    }
    std::size_t receives(int socket, Milliseconds limit)
    {
        pollfd wait{socket, POLLIN, 0};
        if (::poll(&wait, 1, static_cast<int>(limit.count())) <= 0) return 0;
        const auto count = ::recvmmsg(socket, messages_.data(), batch, MSG_DONTWAIT, nullptr);
        return count < 0 ? 0 : static_cast<std::size_t>(count);
    }

private:
    std::string bytes_;
    std::array<iovec, batch> parts_{};
    std::array<mmsghdr, batch> messages_{};
};

/// `count` datagrams there and back over one flow, `window` under way; how many came back.
std::size_t ping_pong(DatagramSocket& client, std::size_t count, std::size_t window, std::size_t size)
{
    Bulk out(size), in(2'048);
    std::size_t sent = 0, back = 0;
    while (back < count) {
        while (sent < count && sent < back + window) {
            const auto more = out.sends(client.number(), std::min(count - sent, back + window - sent));
            if (more == 0) break;
            sent += more;
        }
        const auto more = in.receives(client.number(), Milliseconds{1'000});
        if (more == 0) {
            if (sent == count) break; // the rest is lost
            back = sent;
        }
        back += more;
    }
    return back;
}

struct Cost {
    double seconds = 0;
    std::size_t datagrams = 0;
};

class UdpCost : public Appliance {
protected:
    Cost long_flow(const std::function<std::vector<int>()>& processes, std::string_view to, std::size_t size,
                   std::size_t window)
    {
        DatagramSocket client(network.clients(), *Endpoint::parse("10.0.1.3:0"));
        client.connects(*Endpoint::parse(to));
        ping_pong(client, 1'000, window, size);
        const auto before = cpu_seconds(processes());
        const auto back = ping_pong(client, count, window, size);
        return {cpu_seconds(processes()) - before, back * 2};
    }
    /// A question and an answer each, from a new port every time.
    Cost short_flows(const std::function<std::vector<int>()>& processes, std::string_view to)
    {
        const auto before = cpu_seconds(processes());
        std::size_t back = 0;
        network.clients().inside([&] {
            Bulk out(60), in(2'048);
            sockaddr_storage name{};
            const auto length = to_sockaddr(*Endpoint::parse(to), name);
            for (std::size_t i = 0; i < flows; ++i) {
                Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
                ::connect(socket.number(), reinterpret_cast<const sockaddr*>(&name), length);
                out.sends(socket.number(), 1);
                back += in.receives(socket.number(), Milliseconds{1'000});
            }
        });
        return {cpu_seconds(processes()) - before, back};
    }
    void says(const std::string& who, const std::string& what, const Cost& cost, std::size_t expected)
    {
        std::printf("%-10s %-28s %7.2f us of CPU each, %zu of %zu answered\n", who.c_str(), what.c_str(),
                    cost.seconds * 1e6 / static_cast<double>(std::max<std::size_t>(cost.datagrams, 1)), cost.datagrams,
                    expected);
        std::fflush(stdout);
    }
    void measures(const std::string& who, const std::function<std::vector<int>()>& processes, const std::string& to,
                  bool with_short_flows)
    {
        for (const std::size_t size : {60, 1'200})
            for (const std::size_t window : {1, 64})
                says(who, std::to_string(size) + " bytes, window " + std::to_string(window),
                     long_flow(processes, to, size, window), count * 2);
        if (with_short_flows) says(who, "question and answer", short_flows(processes, to), flows);
    }

    std::size_t count = asked("GW_BENCH_DATAGRAMS", 50'000);
    std::size_t flows = asked("GW_BENCH_FLOWS", 5'000);
    std::size_t rounds = asked("GW_BENCH_ROUNDS", 2);
};

TEST_F(UdpCost, DISABLED_BesideNginxAndSocat)
{
    DatagramServer server(network.servers(), "10.0.2.10:5353", echoes_datagrams());
    gateway.runs_with("listeners: [{intercept: {transport: udp, to: [10.0.2.10], ports: [5353]}}]\n"
                      "workers: 1\n"
                      "timeouts: {udp_idle: 2s}\n"
                      "logs: {access: off}\n");
    const Folder folder;
    const auto file = folder.write("nginx.conf", "daemon off; worker_processes 1; pid " + folder.path("pid") +
                                                     "; error_log stderr error;\n"
                                                     "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n"
                                                     "events { worker_connections 20000; }\n"
                                                     "stream { server { listen 10.0.1.1:5353 udp; proxy_timeout 2s; "
                                                     "proxy_pass 10.0.2.10:5353; } }\n");
    Process nginx({"nginx", "-c", file, "-p", folder.path()}, network.gateway().place());
    Process socat({"socat", "UDP4-LISTEN:5454,bind=10.0.1.1,fork,reuseaddr", "UDP4:10.0.2.10:5353"},
                  network.gateway().place());
    ASSERT_TRUE(eventually([&] {
        const auto bound = run({"ss", "-Hlun"}, network.gateway().place()).out;
        return bound.find("10.0.1.1:5353") != std::string::npos && bound.find("10.0.1.1:5454") != std::string::npos;
    })) << nginx.err()
        << socat.err();

    for (std::size_t round = 0; round < rounds; ++round) {
        measures(
            "gateway", [&] { return gateway.process_ids(); }, "10.0.2.10:5353", true);
        measures(
            "nginx", [&] { return with_children(nginx.id()); }, "10.0.1.1:5353", true);
        measures(
            "socat", [&] { return with_children(socat.id()); }, "10.0.1.1:5454", false);
    }
    const auto status = Json::parse(gateway.ctl({"status", "--json"}).out, nullptr, false);
    std::printf("gateway: %s\n", status["udp"].dump().c_str());
}

} // namespace
} // namespace gw::lab
